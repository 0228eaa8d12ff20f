"""The importance-weighted bound with the doubly reparameterised gradient: a better teacher for the encoder.

The gradient of L_K reaches the encoder along two paths: through the latents, and through the density q that they are
weighted by. The second has mean zero for one sample, and a vanishing share of signal in its noise for many. It can be
traded for a weight on the first:

    d L_K / d phi = E sum_k v_k^2 (d log w_k / d z_k) (d z_k / d phi),   v = softmax_k(log w_k)

The decoder's gradient is the ordinary one, sum_k v_k d log w_k / d theta, so one backward pass serves both.

Source: Tucker et al. 2019, arXiv:1810.04152, eq. 8.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from adl.autoencoder.vae import VAE, Likelihood, trained
from adl.core import Algorithm
from adl.core.types import Array, Key
from adl.prob.distributions import normal_log_prob


def dreg_bound(key: Key, model: VAE, variables, x: Array, *, likelihood: Likelihood, num_samples: int) -> Array:
    """L_K `[B]`, the value of `iwae_bound` for this key, with the gradient of the module's formula.

    Args:
      key: consumed.
      model: encoder and decoder.
      variables: the model's.
      x: `[B, D]`.
      likelihood: log p(x|z) from the decoder's output.
      num_samples: K >= 1; for K = 1 the encoder's gradient is that of "sticking the landing".
    """

    def log_weights(variables, z, code, x):
        mean, log_std = code
        log_p = likelihood(x, model.apply(variables, z, method=VAE.decode)) + normal_log_prob(z, 0.0, 0.0).sum(-1)
        return log_p - normal_log_prob(z, mean, log_std).sum(-1)

    mean, log_std = (part[None] for part in model.apply(variables, x, method=VAE.encode))
    z = mean + jnp.exp(log_std) * jax.random.normal(key, (num_samples, *mean.shape[1:]))
    return _bound(log_weights, variables, z, (mean, log_std), x[None])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _bound(log_weights, variables, z, code, x):
    return jax.nn.logsumexp(log_weights(variables, z, code, x), 0) - jnp.log(z.shape[0])


def _forward(log_weights, variables, z, code, x):
    weights, pull = jax.vjp(lambda variables, z: log_weights(variables, z, code, x), variables, z)
    return jax.nn.logsumexp(weights, 0) - jnp.log(z.shape[0]), (pull, jax.nn.softmax(weights, 0))


def _backward(log_weights, residuals, g):
    pull, share = residuals
    d_variables, d_z = pull(g[None] * share)
    return d_variables, d_z * share[..., None], None, None  # nothing through the density of q


_bound.defvjp(_forward, _backward)


def dreg(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    num_samples: int,
    prepare: Callable[[Key, Array], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The importance-weighted autoencoder, descended by `dreg_bound`; state, batches and metrics are those of `iwae`.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: as in `vae`.
      num_samples: K >= 1.
      prepare: as in `vae`.
      axis: name of the mapped axis, or None.
    """

    def loss(key, variables, x):
        bound = dreg_bound(key, model, variables, x, likelihood=likelihood, num_samples=num_samples)
        return {"loss": -bound, "bound": bound}

    return trained(model, tx, loss, prepare, axis)
