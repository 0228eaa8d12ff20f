"""A variational autoencoder that learns from rows with holes, and fills them: MIWAE.

    L_K = E_{z_1..z_K ~ q(z|x_o)} log 1/K sum_k w_k <= log p(x_o),   w_k = p(x_o|z_k) p(z_k) / q(z_k|x_o)
    E[x_h|x_o] ~ sum_k w_k E[x_h|z_k] / sum_k w_k

x_o is what is seen of a row and x_h what is hidden: given z numbers are independent, so that what is hidden drops out.
It is right where holes do not depend on what they hide.
Source: Mattei & Frellsen 2019, arXiv:1812.02633, eq. 4 and 9 to 11.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.autoencoder.vae import VAE, Gaussian, trained
from adl.core import Algorithm, border
from adl.core.types import Array, Key
from adl.nn.mlp import MLP, flat
from adl.prob.distributions import normal_log_prob


def holed_perceptrons(latent_dim: int, hidden: Sequence[int], dim: int, dtype: jnp.dtype = jnp.float32) -> VAE:
    """Perceptrons of rows with holes `[B, 2, D]`, numbers and where they are seen, around a Gaussian latent.

    Args:
      latent_dim: Z >= 1.
      hidden: widths of the encoder's hidden layers; the decoder mirrors them.
      dim: D; the decoder says means and log deviations, `[B, 2 D]`.
      dtype: of the computation.
    """
    more = {"activation": nn.tanh, "dtype": dtype}
    encoder = nn.Sequential([flat, MLP((*hidden, 2 * latent_dim), **more)])
    return VAE(Gaussian(encoder), MLP((*reversed(hidden), 2 * dim), **more))


def each_normal(x: Array, output: Array, *, ridge: float) -> Array:
    """`[..., D]` log p(x_d|z) in nats of each number, a Gaussian of at least some variance.

    Without a least variance a number that few rows show is foretold too well, and the likelihood has no bound.

    Args:
      x: `[..., D]`.
      output: `[..., 2 D]` means and log deviations.
      ridge: > 0, added to each variance, in squared units of x.
    """
    mean, log_std = jnp.split(output, 2, -1)
    return normal_log_prob(x, mean, jnp.logaddexp(2 * log_std, jnp.log(ridge)) / 2)


@border.columns(x="float [B, D]", seen="float [B, D]")
def miwae(
    model: VAE, tx: optax.GradientTransformation, *, num_samples: int, ridge: float, axis: str | None = None
) -> Algorithm:
    """The importance-weighted bound on the likelihood of what is seen; the state is a `Learner`, loss = -L_K.

    A batch is `{"x": [B, D], "seen": [B, D]}`; what x holds where nothing is seen is not looked at.

    Args:
      model: encoder and decoder, as `holed_perceptrons`.
      tx: optax transformation.
      num_samples: K >= 1 latents a row.
      ridge: as in `each_normal`.
      axis: name of the mapped axis, or None.
    """

    def loss(key, model, rows):
        log_w, _ = _weighed(key, model, rows, num_samples, ridge)
        return {"loss": jnp.log(num_samples) - jax.nn.logsumexp(log_w, 0)}

    return trained(model, tx, loss=loss, prepare=lambda key, batch: holed(batch["x"], batch["seen"]), axis=axis)


def holed(x: Array, seen: Array) -> Array:
    """`[B, 2, D]` what the model is shown: rows `[B, D]`, 0 where nothing is seen, and where they are seen."""
    seen = jnp.asarray(seen, jnp.float32)
    return jnp.stack([jnp.where(seen > 0, x, 0), seen], 1)


def imputed(key: Key, model: VAE, x: Array, seen: Array, *, num_samples: int, ridge: float) -> Array:
    """`[B, D]` rows with the expectation of what is hidden given what is seen, by weighted latents.

    Args:
      key: consumed.
      model: encoder and decoder, bound.
      x: `[B, D]`; what it holds where nothing is seen is not looked at.
      seen: `[B, D]` of 0 and 1.
      num_samples: K >= 1 latents a row.
      ridge: as in `each_normal`.
    """
    log_w, output = _weighed(key, model, holed(x, seen), num_samples, ridge)
    mean = jnp.split(output, 2, -1)[0]
    return jnp.where(seen > 0, x, (jax.nn.softmax(log_w, 0)[..., None] * mean).sum(0))


def held_log_prob(key: Key, model: VAE, x: Array, seen: Array, *, num_samples: int, ridge: float) -> Array:
    """`[B]` log p(x_h|x_o) in nats of whole rows, of which some is held out, as weighted latents find it.

        log p(x_h|x_o) ~ log sum_k w_k p(x_h|z_k) / sum_k w_k

    Args:
      key: consumed.
      model: encoder and decoder, bound.
      x: `[B, D]`, whole.
      seen: `[B, D]` of 0 and 1.
      num_samples: as in `imputed`; of few it is too low.
      ridge: as in `each_normal`.
    """
    log_w, output = _weighed(key, model, holed(x, seen), num_samples, ridge)
    held = (each_normal(x[None], output, ridge=ridge) * (1 - jnp.asarray(seen, jnp.float32))[None]).sum(-1)
    return jax.nn.logsumexp(log_w + held, 0) - jax.nn.logsumexp(log_w, 0)


def _weighed(key: Key, model: VAE, rows: Array, num_samples: int, ridge: float) -> tuple[Array, Array]:
    """log w_k `[K, B]` of latents drawn from the encoder, and what is decoded from them `[K, B, 2 D]`."""
    x, seen = rows[:, 0], rows[:, 1]
    z, log_q = model.encode(rows).sample_and_log_prob(key, (num_samples,))
    output = model.decode(z, 2)
    given = (each_normal(x[None], output, ridge=ridge) * seen[None]).sum(-1)
    return given + model.prior().log_prob(z) - log_q, output
