"""Autoencoders without a likelihood: a code of each example, from which it is made again.

    z = encode(x),   loss = |x - decode(z)|^2 + penalty(z)

A code that is narrower than the example must hold what examples have in common; of a wide one the penalty, or what the
encoder is shown in the example's place, sees to that. Affine, narrow and without either it finds the plane of the
principal components (Baldi & Hornik 1989, Neural Networks 2(1)).

Sources: Hinton & Salakhutdinov 2006, Science 313; denoising: Vincent et al. 2008 (ICML), section 2.3; sparse: Ng 2011,
Sparse autoencoder, CS294A lecture notes.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax
from jax.scipy.special import xlogy

from adl.core import Algorithm, Key, Mean, learning
from adl.core.types import PyTree

Penalty = Callable[[Array], Array]  # codes [B, ...] -> [B], in the unit of the error
Corrupt = Callable[[Key, Array], Array]  # (key, x [B, ...]) -> what the encoder sees in its place, of the same shape
LEAST = 1e-7  # of an activation, whose logarithm is taken


class Autoencoder(nn.Module):
    """Any encoder and any decoder."""

    encoder: nn.Module  # x [B, ...] -> codes [B, Z]
    decoder: nn.Module  # codes [N, Z] -> x [N, ...]

    def encode(self, x: Array) -> Array:
        """Codes `[B, Z]` of `x [B, ...]`."""
        return self.encoder(x).astype(jnp.float32)

    def decode(self, z: Array) -> Array:
        """Examples `[..., ...]` of codes `[..., Z]`."""
        output = self.decoder(z.reshape(-1, z.shape[-1])).astype(jnp.float32)
        return output.reshape(*z.shape[:-1], *output.shape[1:])

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Codes `[B, Z]`, and what is made of them `[B, ...]`."""
        z = self.encode(x)
        return z, self.decode(z)


def distances(x: Array, made: Array) -> Array:
    """`[B]` squared distances of examples from what was made of their codes, both `[B, ...]`, in squared units of x."""
    chex.assert_equal_shape([x, made])
    return jnp.square(x - made).reshape(len(x), -1).sum(1)


def autoencoder(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The plain autoencoder; state is a `Learner`, batches are examples, the `loss` is the squared error of one.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      prepare: `prepare(key, batch) -> x [B, ...]`, in the shape that the decoder gives.
      axis: name of the mapped axis, or None.
    """
    return _coding(model, tx, lambda key, x: x, None, prepare, axis)


def denoising_autoencoder(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    corrupt: Corrupt,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The autoencoder that is shown the example spoilt, and makes it whole; all else as in `autoencoder`.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      corrupt: `gaussian_noise`, `masking`, or any other, drawn anew at each step.
      prepare: as in `autoencoder`.
      axis: name of the mapped axis, or None.
    Source: Vincent et al. 2008 (ICML), section 2.3.
    """
    return _coding(model, tx, corrupt, None, prepare, axis)


def sparse_autoencoder(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    penalty: Penalty,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The autoencoder whose codes should be 0 for the most part; all else as in `autoencoder`.

    Reports the `loss`, and its parts `error` and `penalty`.

    Args:
      model: encoder and decoder; for `rare_activations` an encoder that ends in a sigmoid.
      tx: optax transformation.
      penalty: `absolute`, `rare_activations`, or any other.
      prepare: as in `autoencoder`.
      axis: name of the mapped axis, or None; `rare_activations` must know it too.
    Source: Ng 2011, CS294A lecture notes, section 3.
    """
    return _coding(model, tx, lambda key, x: x, penalty, prepare, axis)


def _coding(model, tx, corrupt: Corrupt, penalty: Penalty | None, prepare, axis: str | None) -> Algorithm:
    def spoilt(key, batch):
        prepare_key, key = jax.random.split(key)
        x = prepare(prepare_key, batch)
        return corrupt(key, x), x

    def loss(output, x):
        z, made = output
        error = distances(x, made)
        if penalty is None:
            return {"loss": Mean.of(error)}
        extra = penalty(z)
        return {"loss": Mean.of(error + extra), "error": Mean.of(error), "penalty": Mean.of(extra)}

    return learning(model, tx, loss=loss, prepare=spoilt, axis=axis, x="float [B, ...]")


def gaussian_noise(std: float) -> Corrupt:
    """Adds noise of a standard deviation >= 0, in units of x, to each number."""
    return lambda key, x: x + std * jax.random.normal(key, x.shape)


def masking(share: float, value: float = 0.0) -> Corrupt:
    """Sets each number to `value` with a probability `share` in [0, 1]."""
    return lambda key, x: jnp.where(jax.random.bernoulli(key, share, x.shape), value, x)


def absolute(weight: float) -> Penalty:
    """weight |z|_1: codes of which most are exactly 0, where the decoder can spare them.

    Nothing holds the decoder's weights: without a decay of them it makes small codes large.

    Args:
      weight: >= 0, in units of the error.
    """
    return lambda z: weight * jnp.abs(z).reshape(len(z), -1).sum(1)


def rare_activations(weight: float, rate: float, axis: str | None = None) -> Penalty:
    """weight sum_j KL(rate || a_j), a_j the mean over the batch of the j-th number of the codes.

    KL(r || a) = r log (r / a) + (1 - r) log ((1 - r) / (1 - a)), the same for each example of the batch.

    Args:
      weight: >= 0.
      rate: r in (0, 1), how often a unit should be on.
      axis: name of the mapped axis over which the batch is split, or None.
    Returns:
      The penalty of codes in [0, 1]; nan of others.
    """

    def penalty(z):
        z = z.reshape(len(z), -1)
        mean = z.mean(0)
        is_share = ((z >= 0) & (z <= 1)).all()
        if axis is not None:
            mean = lax.pmean(mean, axis)
        mean = jnp.where(is_share, jnp.clip(mean, LEAST, 1 - LEAST), jnp.nan)
        divergence = xlogy(rate, rate / mean) + xlogy(1 - rate, (1 - rate) / (1 - mean))
        return jnp.broadcast_to(weight * divergence.sum(), (len(z),))

    return penalty
