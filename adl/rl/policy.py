"""Policies: what a network's numbers say of actions, and the network that also judges where it is."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.custom_batching import sequential_vmap

from adl.core.types import Array, Key
from adl.nn.mlp import MLP, Initializer
from adl.prob import product
from adl.prob.distributions import categorical_entropy, categorical_log_prob, normal_log_prob
from adl.rl.environment.world import Choices, Environment
from adl.rl.environment.wrappers import clipped_action, rescaled_action


class Actions(NamedTuple):
    """A family of distributions over actions, each given by the numbers `[..., P]` that a network puts out."""

    sample: Callable[[Key, Array], Array]  # (key, numbers [..., P]) -> action [...]
    log_prob: Callable[[Array, Array], Array]  # (action, numbers) -> [...], in nats
    entropy: Callable[[Array], Array]  # numbers -> [...], in nats
    mode: Callable[[Array], Array]  # numbers -> the likeliest action [...]
    mean: Callable[[Array], Array]  # numbers -> the mean action, of choices that of their numbers


def _mean_choice(logits: Array) -> Array:
    return product.matmul(jax.nn.softmax(logits), jnp.arange(logits.shape[-1], dtype=logits.dtype))


categorical = Actions(
    *(jax.random.categorical, categorical_log_prob, categorical_entropy),
    mode=lambda logits: jnp.argmax(logits, -1),
    mean=_mean_choice,
)


def drawn_in_rows(key: Key, logits: Array, *, row: int = 64) -> Array:
    """Choices `[...]` by logits `[..., A]`, with one number at random each: first a row of them, then one in it.

    As `jax.random.categorical` in distribution, which draws A numbers; for thousands of choices, of which few count.

    Args:
      key: consumed.
      logits: finite.
      row: choices of a row, about the root of A.
    """
    shares = jax.nn.softmax(logits)
    rows = jnp.pad(shares, [(0, 0)] * (logits.ndim - 1) + [(0, -logits.shape[-1] % row)])
    rows = rows.reshape(*logits.shape[:-1], -1, row)
    until = jnp.cumsum(rows.sum(-1), -1)
    place = jax.random.uniform(key, logits.shape[:-1]) * until[..., -1]
    which = jnp.argmax(until > place[..., None], -1)
    within = jnp.take_along_axis(rows, which[..., None, None], -2)[..., 0, :]
    before = jnp.take_along_axis(until, which[..., None], -1)[..., 0] - within.sum(-1)
    # What rounding lets fall beyond the row's end is its last choice that has a share.
    sofar = jnp.cumsum(within, -1)
    left = jnp.minimum(place - before, jnp.nextafter(sofar[..., -1], jnp.zeros(())))
    return which * row + jnp.argmax(sofar > left[..., None], -1)


many_choices = categorical._replace(sample=drawn_in_rows)


def halves(numbers: Array) -> tuple[Array, Array]:
    """Means and log standard deviations `[..., D]` of a Gaussian, of numbers `[..., 2 D]`."""
    return tuple(jnp.split(numbers, 2, -1))


def _gaussian_sample(key: Key, numbers: Array) -> Array:
    mean, log_std = halves(numbers)
    return mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape, mean.dtype)


def _gaussian_log_prob(action: Array, numbers: Array) -> Array:
    return normal_log_prob(action, *halves(numbers)).sum(-1)


def _gaussian_entropy(numbers: Array) -> Array:
    """sum_d log std_d + (1 + log 2 pi) / 2."""
    _, log_std = halves(numbers)
    return (log_std + 0.5 * (1 + math.log(2 * math.pi))).sum(-1)


# Vectors [..., D], of numbers as `halves` has them.
gaussian = Actions(
    *(_gaussian_sample, _gaussian_log_prob, _gaussian_entropy),
    mode=lambda numbers: halves(numbers)[0],
    mean=lambda numbers: halves(numbers)[0],
)


def squashed(key: Key, numbers: Array, *, low: float = -5.0, high: float = 2.0) -> tuple[Array, Array]:
    """Vectors `[..., D]` in [-1, 1], the hyperbolic tangents of Gaussian ones, and their log-density `[...]`.

    a = tanh u,   u ~ N(mean, std^2),   log p(a) = log N(u) - sum_d log(1 - tanh^2 u_d)

    with log(1 - tanh^2 u) = 2 (log 2 - u - softplus(-2 u)), which is finite where the difference rounds to 0. Its
    slope by the numbers goes through the sample.

    Args:
      key: consumed.
      numbers: `[..., 2 D]`, means and what tanh brings into [low, high] as the log standard deviations.
      low: least log standard deviation.
      high: largest.
    Source: Haarnoja et al. 2018, arXiv:1801.01290, appendix C, eq. 21.
    """
    mean, raw = halves(numbers.astype(jnp.float32))
    log_std = low + (high - low) / 2 * (jnp.tanh(raw) + 1)
    u = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape, mean.dtype)
    return jnp.tanh(u), (normal_log_prob(u, mean, log_std) - log_tanh_slope(u)).sum(-1)


def log_tanh_slope(u: Array) -> Array:
    """log(1 - tanh^2 u) `[...]`, finite at any finite u."""
    return 2 * (math.log(2) - jnp.abs(u) - jnp.log1p(jnp.exp(-2 * jnp.abs(u))))


def orthogonal(gain: float) -> Initializer:
    """Kernels with orthogonal rows or columns of norm `gain`; of several runs one after the other.

    Side by side they would be a batch for LAPACK, whose parts wait for threads of the pool that they run in: on CPU
    more of these than there are threads wait for ever.
    """
    init = nn.initializers.orthogonal(gain)

    def one_by_one(key, shape, dtype=jnp.float32):
        return sequential_vmap(lambda key: init(key, shape, dtype))(key)

    return one_by_one


class ActorCritic(nn.Module):
    """Two multilayer perceptrons side by side: one for the actions, one for the value.

    Orthogonal kernels with gain sqrt(2), 0.01 for the last of the actor, so that the first policy is nearly uniform,
    and 1 for the last of the critic. Source: details 2 and 13 of Huang et al. 2022, "The 37 implementation details of
    proximal policy optimization" (ICLR blog track).

    Attributes:
      num_outputs: numbers that the distribution of actions wants, of each observation: logits of A actions, means.
      num_free: numbers that it wants beside, the same for all observations and 0 at first: log standard deviations.
      hidden: widths of the hidden layers of each.
      activation: of the hidden layers.
      dtype: of the computation.
      value_unit: > 0, of what the critic puts out: about as large as returns are, or it takes long to get there.
    """

    num_outputs: int
    hidden: Sequence[int] = (64, 64)
    activation: Callable[[Array], Array] = nn.tanh
    dtype: jnp.dtype = jnp.float32
    num_free: int = 0
    value_unit: float = 1.0

    @nn.compact
    def __call__(self, obs: Array) -> tuple[Array, Array]:
        """Numbers of the actions' distribution `[..., P]` and value `[...]` of observations `[..., D]`."""

        def network(name: str, size: int, gain: float) -> MLP:
            kernel, output = orthogonal(2**0.5), orthogonal(gain)
            return MLP((*self.hidden, size), self.activation, 0.0, self.dtype, kernel, output, name=name)

        numbers, value = network("actor", self.num_outputs, 0.01)(obs), network("critic", 1, 1.0)(obs)
        numbers = numbers.astype(jnp.float32)
        if self.num_free:
            free = self.param("free", nn.initializers.zeros, (self.num_free,))
            numbers = jnp.concatenate([numbers, jnp.broadcast_to(free, (*numbers.shape[:-1], self.num_free))], -1)
        return numbers, self.value_unit * value[..., 0].astype(jnp.float32)


def actor_critic(env: Environment, hidden: Sequence[int], **more: Any) -> tuple[ActorCritic, Actions]:
    """The network for an environment's actions, and what its numbers stand for.

    Choices have logits; vectors are Gaussian, with standard deviations that do not depend on what is seen.

    Args:
      env: any environment with observations `[D]`.
      hidden: as of `ActorCritic`.
      **more: of its other attributes.
    """
    if isinstance(env.actions, Choices):
        return ActorCritic(env.actions.count, hidden, **more), categorical
    (size,) = env.actions.low.shape
    return ActorCritic(size, hidden, num_free=size, **more), gaussian


def in_unit_box(env: Environment) -> Environment:
    """The environment with vectors `[D]` in [-1, 1] that stand for its bounds, beyond which they are clipped.

    Where its bounds are -1 and 1 already, it only clips; where actions are choices, it does nothing.

    Args:
      env: whose vectors have finite bounds.
    """
    return env if isinstance(env.actions, Choices) else clipped_action(rescaled_action(env))
