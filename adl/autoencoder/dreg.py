"""The importance-weighted bound with the doubly reparameterised gradient: a better teacher for the encoder.

The gradient of L_K reaches the encoder along two paths: through the latents, and through the density q that they are
weighted by. The second has mean zero for one sample, and a vanishing share of signal in its noise for many. It can be
traded for a weight on the first:

    d L_K / d phi = E sum_k v_k^2 (d log w_k / d z_k) (d z_k / d phi),   v = softmax_k(log w_k)

The decoder's gradient is the ordinary one, sum_k v_k d log w_k / d theta. Both are means over k drawn from v: K latents
forward and a few of them backward give the same gradient in expectation, for a third of the work.

Sources: Tucker et al. 2019, arXiv:1810.04152, eq. 8; Burda et al. 2016, arXiv:1509.00519, section 3, for the draw.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.autoencoder.vae import VAE, Likelihood, trained
from adl.core import Algorithm, scale_gradient
from adl.core.types import Array, Key


def dreg_bound(
    key: Key, model: VAE, x: Array, *, likelihood: Likelihood, num_samples: int, num_backward: int = 0
) -> Array:
    """L_K `[B]`, the value of `iwae_bound` for this key, with the gradient of the module's formula.

    Args:
      key: consumed.
      model: encoder and decoder, bound; units that the decoder drops are drawn twice, once for the weights v alone.
      x: `[B, ...]`.
      likelihood: log p(x|z) from the decoder's output.
      num_samples: K >= 1; for K = 1 the encoder's gradient is that of "sticking the landing".
      num_backward: latents an image that the gradient is taken through, drawn from v with replacement; 0: all K.
    """
    q, p = model.encode(x), model.prior()
    z, fixed = q.sample(key, (num_samples,)), jax.tree.map(lax.stop_gradient, q)

    def log_weights(z):
        return likelihood(x[None], model.decode(z, 2)) + p.log_prob(z) - fixed.log_prob(z)

    weights = lax.stop_gradient(log_weights(z))
    bound = jax.nn.logsumexp(weights, 0) - jnp.log(num_samples)
    v = share = jax.nn.softmax(weights, 0)
    if num_backward:
        pick = jax.random.categorical(jax.random.fold_in(key, 1), weights, 0, shape=(num_backward, len(x)))
        z, v = jax.tree.map(lambda z: jnp.take_along_axis(z, _wide(pick, z), 0), z), jnp.take_along_axis(v, pick, 0)
        share = 1 / num_backward
    # Of all K, the compiler computes the same weights once.
    slope = (share * log_weights(jax.tree.map(lambda z: scale_gradient(z, _wide(v, z)), z))).sum(0)
    return bound + slope - lax.stop_gradient(slope)


def _wide(x: Array, like: Array) -> Array:
    """`[K, B]` -> `[K, B, 1, ...]`, of the rank of `like`."""
    return x.reshape(*x.shape, *[1] * (like.ndim - x.ndim))


def dreg(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    num_samples: int,
    num_backward: int = 0,
    prepare: Callable[[Key, Array], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The importance-weighted autoencoder, descended by `dreg_bound`; state, batches and metrics are those of `iwae`.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: as in `vae`.
      num_samples: K >= 1.
      num_backward: as in `dreg_bound`.
      prepare: as in `vae`.
      axis: name of the mapped axis, or None.
    """

    def loss(key, model, x):
        bound = dreg_bound(key, model, x, likelihood=likelihood, num_samples=num_samples, num_backward=num_backward)
        return {"loss": -bound, "bound": bound}

    return trained(model, tx, loss=loss, prepare=prepare, axis=axis)
