"""The conditional variational autoencoder: a latent for what is left to say of x once c is known.

    log p(x|c) >= E_{z ~ q(z|x,c)} log p(x|z,c) - KL(q(z|x,c) || p(z|c))

A condition is a row of numbers: classes as one-hot rows, attributes, another part of the picture. `OfCondition` is the
model with the condition filled in, to which every bound of `vae` applies. Source: Sohn et al. 2015 (NIPS), eq. 4.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.autoencoder.latents import Latents, standard
from adl.autoencoder.vae import Gaussian, Likelihood, elbo, trained
from adl.core import Algorithm, border
from adl.core.types import Array, Key, PyTree
from adl.nn.mlp import MLP


class ConditionalVAE(nn.Module):
    """An encoder and a decoder that are both told the condition.

    Attributes:
      encoder: `x and c, side by side [B, D + C] -> q(z|x,c)`.
      decoder: `z and c, side by side [N, Z + C] -> [N, P]`, parameters of p(x|z,c).
      prior: `c [B, C] -> p(z|c)`; by default the same for all.
    """

    encoder: nn.Module
    decoder: nn.Module
    prior: Callable[[Array], Latents] = lambda c: standard()

    def encode(self, x: Array, c: Array) -> Latents:
        """q(z|x,c) for `x [B, D]` and `c [B, C]`."""
        chex.assert_rank([x, c], 2)
        return self.encoder(jnp.concatenate([x, c], -1))

    def decode(self, z: Array, c: Array) -> Array:
        """Parameters `[..., B, P]` of p(x|z,c) for latents `[..., B, Z]` and `c [B, C]`."""
        chex.assert_rank(c, 2)
        told = jnp.concatenate([z, jnp.broadcast_to(c, (*z.shape[:-1], c.shape[-1]))], -1)
        output = self.decoder(told.reshape(-1, told.shape[-1])).astype(jnp.float32)
        return output.reshape(*z.shape[:-1], output.shape[-1])

    def __call__(self, key: Key, pair: tuple[Array, Array]) -> Array:
        """Parameters of p(x|z,c) at one draw of z, of `(x, c)`; for initialisation. The key is consumed."""
        x, c = pair
        self.prior(c)
        return self.decode(self.encode(x, c).sample(key), c)


class OfCondition(NamedTuple):
    """A conditional model, bound, of one condition an example: a `VAE` to whoever asks for a bound."""

    model: ConditionalVAE
    condition: Array  # [B, C]

    def encode(self, x: Array) -> Latents:
        """q(z|x,c) for `x [B, D]`."""
        return self.model.encode(x, self.condition)

    def decode(self, z: Array, num_axes: int | None = None) -> Array:
        """Parameters `[..., B, P]` for latents `[..., B, Z]`; their axes are all but the last."""
        del num_axes
        return self.model.decode(z, self.condition)

    def prior(self) -> Latents:
        """p(z|c)."""
        return self.model.prior(self.condition)


def of_class(label: Array, num_classes: int) -> Array:
    """`[B, K]` one-hot rows, the condition that is a class.

    Args:
      label: `[B]` integers in 0 ... K - 1.
      num_classes: K.
    Raises:
      BadInput: at trace time, if the labels are no integers, or no column.
    """
    border.check({"label": label}, label="int [B]")
    return jax.nn.one_hot(label, num_classes)


def conditional_perceptrons(
    latent_dim: int,
    hidden: Sequence[int],
    output_dim: int,
    activation: Callable[[Array], Array] = nn.relu,
    dtype: jnp.dtype = jnp.float32,
) -> ConditionalVAE:
    """Multilayer perceptrons of rows and conditions; arguments as of `vae.perceptrons`."""
    encoder = MLP((*hidden, 2 * latent_dim), activation=activation, dtype=dtype)
    decoder = MLP((*reversed(hidden), output_dim), activation=activation, dtype=dtype)
    return ConditionalVAE(Gaussian(encoder), decoder)


def conditional_vae(
    model: ConditionalVAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    prepare: Callable[[Key, PyTree], tuple[Array, Array]] = lambda key, pair: pair,
    axis: str | None = None,
) -> Algorithm:
    """The conditional autoencoder; state is a `Learner`, the loss is minus the bound on log p(x|c).

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: log p(x|z,c) from the decoder's output.
      prepare: `prepare(key, batch) -> (x [B, D], c [B, C])`, both floats.
      axis: name of the mapped axis, or None.
    """

    def loss(key, model, pair):
        x, c = pair
        parts = elbo(key, OfCondition(model, c), x, likelihood=likelihood)
        return {"loss": -parts["elbo"], **parts}

    return trained(model, tx, loss=loss, prepare=prepare, axis=axis)
