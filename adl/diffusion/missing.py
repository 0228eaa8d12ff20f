"""A denoiser that learns from rows with holes, and fills them: some of what is seen is made noise, and asked for.

The network is told which numbers are known, and which are asked for; of each row another share is asked for, so that it
may be any of them. What is hidden is in neither. To fill a row, all that is hidden is asked for, and drawn.
Sources: Tashiro et al. 2021, arXiv:2107.03502, section 4 and algorithm 1; of tables, Zheng & Charoenphakdee 2022,
arXiv:2210.17128.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, forward
from adl.diffusion import denoising, schedule, target
from adl.diffusion.preconditioner import karras
from adl.diffusion.process import exploding
from adl.diffusion.solver import heun, sample
from adl.nn.mlp import MLP

P_MEAN, P_STD = -0.6, 1.2  # of ln(sigma) in training, of numbers of deviation 1
STEPS, SIGMAS = 12, (0.02, 20.0)  # of the sampler, and its last and first noise level, of numbers of deviation 1


class Question(NamedTuple):
    """What a network is told of rows `[B, D]`."""

    known: Array  # [B, D] numbers, 0 where they are not known
    is_known: Array  # [B, D] of 0 and 1
    is_asked: Array  # [B, D] of 0 and 1, never where they are known


class HoledMLP(nn.Module):
    """A perceptron of noisy rows, the noise level, and what is known and asked for."""

    features: Sequence[int]  # width of each hidden layer
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, time: Array, condition: Question) -> Array:
        """`[B, D]` of `x [B, D]`, of which only what is asked for is looked at, and `time [B]`."""
        parts = jnp.concatenate([jnp.where(condition.is_asked > 0, x, 0), *condition, time[:, None]], -1)
        network = MLP((*self.features, x.shape[-1]), activation=nn.silu, dtype=self.dtype)
        return network(parts).astype(x.dtype)


@border.columns(x="float [B, D]", seen="float [B, D]")
def denoising_holes(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    scale: float,
    axis: str | None = None,
) -> Algorithm:
    """Denoising of what is asked for of rows with holes; the state is a `Learner`, the loss as `edm`'s.

    A batch is `{"x": [B, D], "seen": [B, D]}`; what x holds where nothing is seen is not looked at. The loss is the
    mean over the numbers that are asked for, of a row, and over the rows of which any are.

    Args:
      model: F, `(x [B, D], time [B], Question) -> [B, D]`, as `HoledMLP`.
      tx: optax transformation.
      scale: > 0, standard deviation of the numbers, by which the network is preconditioned and noise levels drawn.
      axis: as in `core.descend`.
    """
    aim, levels = target.preconditioned(karras(scale)), denoising.log_normal(math.log(scale) + P_MEAN, P_STD)

    def init(key: Key, batch) -> Learner:
        x = jnp.zeros_like(batch["x"])
        return Learner.create(model.init(key, x, x[:, 0], Question(x, x, x)), tx)

    def loss(key: Key, params, extras, batch):
        level_key, share_key, asked_key, noise_key, dropout_key = jax.random.split(key, 5)
        seen = jnp.asarray(batch["seen"], jnp.float32)
        x = jnp.where(seen > 0, batch["x"], 0)
        share = jax.random.uniform(share_key, (len(x), 1))
        is_asked = seen * jax.random.bernoulli(asked_key, share, x.shape)
        told, count = Question(x * (seen - is_asked), seen - is_asked, is_asked), is_asked.sum(1)
        weight = jnp.sqrt(is_asked * x.shape[1] / jnp.maximum(count, 1)[:, None])  # squared, of a mean over all D
        asked_for = aim._replace(error=lambda *of: weight * aim.error(*of))

        def errors(model):
            def network(x, t):
                return model(x, t.reshape(len(x)), told)

            of = {"process": exploding, "target": asked_for}
            return denoising.denoising_errors(noise_key, network, x, levels(level_key, len(x)).time, **of)

        losses, extras = forward(model, dropout_key, params, extras, method=errors)
        return {"loss": Mean.of(losses, count > 0)}, extras

    return Algorithm(init, descend(loss, tx, axis))


def drawn_in_holes(
    key: Key, model: nn.Module, variables: PyTree, x: Array, seen: Array, *, scale: float, num_samples: int
) -> Array:
    """`[num_samples, B, D]` rows, what is hidden drawn given what is seen; their mean is the expectation of it.

    Args:
      key: consumed.
      model: as in `denoising_holes`.
      variables: its flax collections.
      x: `[B, D]`; what it holds where nothing is seen is not looked at.
      seen: `[B, D]` of 0 and 1.
      scale: as in training.
      num_samples: S >= 1 draws of each row, by `STEPS` of Heun's method.
    """
    seen = jnp.asarray(seen, jnp.float32)
    told = Question(jnp.where(seen > 0, x, 0), seen, 1 - seen)
    of = {"process": exploding, "target": target.preconditioned(karras(scale))}
    denoise = denoising.denoiser(model, variables, told, **of)
    sigmas = schedule.karras(STEPS, sigma_min=SIGMAS[0] * scale, sigma_max=SIGMAS[1] * scale)

    def draw(key):
        noise_key, key = jax.random.split(key)
        made = sample(key, denoise, sigmas[0] * jax.random.normal(noise_key, x.shape), sigmas, heun)
        return jnp.where(seen > 0, x, made)

    return lax.map(draw, jax.random.split(key, num_samples))
