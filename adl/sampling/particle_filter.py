"""The bootstrap particle filter: a hidden state followed by particles, which are moved, weighed and resampled.

    x_t ~ p(x_t | x_{t-1}),   w_t ~ w_{t-1} p(y_t | x_t),   p(y_1 ... y_T) ~ prod_t sum_i w_{t-1,i} p(y_t | x_{t,i})

with weights w_{t-1} that sum to 1. The estimate of the likelihood is unbiased whatever the number of particles, and
whenever they are resampled.
Source: Gordon, Salmond & Smith 1993, IEE Proceedings F 140(2); unbiased: Del Moral 2004, Feynman-Kac Formulae.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import Algorithm, Mean, border, tree
from adl.core.summation import two_sum
from adl.core.types import Array, Key, PyTree
from adl.sampling.importance import effective_size
from adl.sampling.resampling import Scheme, resample, taken


class Filter(NamedTuple):
    """State of B filters of N particles."""

    x: PyTree  # leaves [B, N, ...]
    log_weight: Array  # [B, N], normalised: the filtering distribution p(x_t | y_1 ... y_t)
    log_likelihood: Array  # [B] log of the estimate of p(y_1 ... y_t)
    lost: Array  # [B] what that sum lacks by rounding
    count: Array  # [B] observations so far


@border.rows
def particle_filter(
    initial: Callable[[Key], PyTree],
    transition: Callable[[Key, PyTree], PyTree],
    *,
    log_likelihood: Callable[[PyTree, PyTree], Array],
    num_particles: int,
    share: float = 0.5,
    scheme: Scheme = "systematic",
) -> Algorithm:
    """Bootstrap filters of B series at once; state is a `Filter`, a batch the next observation of each `[B, ...]`.

    Metrics, over the series: "loss" -log p(y_t | y_1 ... y_{t-1}) in nats, "effective", the particles' effective share.

    Args:
      initial: `initial(key) -> x_1`, the state of the first observation.
      transition: `transition(key, x) -> x` one step on.
      log_likelihood: `log_likelihood(x, y) -> []` log p(y | x).
      num_particles: N >= 1.
      share: in [0, 1]; particles are resampled before a step if fewer are effective; 1: always, 0: never.
      scheme: of resampling.
    """
    even = -np.log(num_particles) * np.ones(num_particles, np.float32)

    def begin(key):
        x = jax.vmap(initial)(jax.random.split(key, num_particles))
        return Filter(x, jnp.asarray(even), jnp.zeros(()), jnp.zeros(()), jnp.zeros((), jnp.int32))

    def one(key, state, y):
        resample_key, move_key = jax.random.split(key)
        is_poor = effective_size(state.log_weight) < share * num_particles
        index = resample(resample_key, state.log_weight, num_particles, scheme=scheme)
        resampled = (taken(state.x, index), even)
        x, log_weight = tree.where(is_poor, resampled, (state.x, state.log_weight))
        moved = jax.vmap(transition)(jax.random.split(move_key, num_particles), x)
        x = tree.where(state.count > 0, moved, x)
        log_y = jax.vmap(log_likelihood, (0, None))(x, y)
        # What they have in common would cost the weights' digits.
        common = log_y.max()
        common = jnp.where(jnp.isfinite(common), common, 0)
        log_joint = log_weight + (log_y - common)
        log_p = jax.nn.logsumexp(log_joint)
        # An observation that no particle explains is impossible; they go on as they were.
        log_weight = jnp.where(jnp.isfinite(log_p), log_joint - log_p, log_weight)
        log_p = common + log_p
        total, slip = two_sum(state.log_likelihood, log_p + state.lost)
        found = Filter(x, log_weight, total, slip, state.count + 1)
        return found, {"loss": -log_p, "effective": effective_size(log_weight) / num_particles}

    def init(key, batch):
        num_series = jax.tree.leaves(batch)[0].shape[0]
        return jax.vmap(begin)(jax.random.split(key, num_series))

    def step(key, state, batch):
        keys = jax.random.split(key, len(state.count))
        state, metrics = jax.vmap(one)(keys, state, batch)
        return state, {name: Mean.of(values) for name, values in metrics.items()}

    return Algorithm(init, step, axes=0)
