"""Noise-contrastive estimation: a density is learned, with its constant, by telling data from noise that is known.

    G(x) = log p(x) - log(nu p_n(x)),   loss = E_data[softplus(-G)] + nu E_noise[softplus(G)],   log p(x) = -E(x)

The optimal classifier of data and of nu times as much noise is the ratio of their densities. So an energy that knows
no constant finds it: it is a parameter like any other, `Normalised`, and no chain is run.
Source: Gutmann & Hyvarinen 2012, JMLR 13, eq. 8 and 13.
"""

from collections.abc import Callable
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, border, descend, forward
from adl.core.types import Array, Key, PyTree


class Noise(Protocol):
    """What the data are told from; the closer to them, the less examples it takes, and it must reach all of them."""

    def sample(self, key: Key, shape: tuple[int, ...]) -> Array:
        """`[*shape, D]`."""

    def log_prob(self, x: Array) -> Array:
        """`[]` in nats of one `x [D]`."""


class Normalised(nn.Module):
    """E(x) + c `[B]`: an energy, and the log-partition c that is to be found, so that exp(-E - c) is a density."""

    energy: nn.Module  # `x [B, ...] -> [B]`

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B]` -log p(x), in nats."""
        return self.energy(x) + self.param("log_partition", nn.initializers.zeros, ())


def noise_contrastive(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    noise: Noise,
    ratio: int = 1,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch,
    axis: str | None = None,
) -> Algorithm:
    """Noise-contrastive estimation; state is a `Learner`.

    Metrics, means over the data: "loss" in nats; "nll", -log p(x) as the model has it, a likelihood once the constant
    is found; "accuracy" of telling data from noise, each half of the weight.

    Args:
      model: `x [B, D] -> -log p(x) [B]` with a constant of its own, such as `Normalised`.
      tx: optax transformation.
      noise: its density is known, `MultivariateNormal` for one.
      ratio: nu >= 1, of noise to data.
      prepare: `prepare(key, batch) -> x [B, D]`.
      axis: as in `core.descend`.
    """
    prepare = border.prepared(prepare, "float [B, D]")

    def loss(key, params, extras, batch):
        prepare_key, noise_key, data_key, key = jax.random.split(key, 4)
        x = prepare(prepare_key, batch)
        other = noise.sample(noise_key, (ratio * len(x),))
        nll, moved = forward(model, data_key, params, extras, x)
        at_noise, _ = forward(model, key, params, extras, other)
        offset = jnp.log(ratio)
        of_data = -nll - jax.vmap(noise.log_prob)(x) - offset
        of_noise = -at_noise - jax.vmap(noise.log_prob)(other) - offset
        by_example = jax.nn.softplus(of_noise).reshape(len(x), ratio)
        is_right = (of_data > 0).astype(float) / 2 + (of_noise <= 0).reshape(len(x), ratio).mean(1) / 2
        parts = {"loss": jax.nn.softplus(-of_data) + by_example.sum(1), "nll": nll, "accuracy": is_right}
        return {name: Mean.of(values) for name, values in parts.items()}, moved

    def init(key, batch):
        prepare_key, key = jax.random.split(key)
        return Learner.create(model.init(key, prepare(prepare_key, batch)), tx)

    return Algorithm(init, descend(loss, tx, axis))
