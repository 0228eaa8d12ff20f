"""Warm-up of Hamiltonian samplers: the step size by dual averaging, the metric by windows, both inside the step.

The warm-up is part of the chain's state, which counts its own transitions: during the first `num_warmup` of them each
transition adapts, after them the same step moves with what was found. So one algorithm, under any lift, warms up and
then draws. As in Stan, an initial stretch adapts the step size alone, on the way to the typical set; windows, each
twice as long as the one before, estimate the covariance and start the step size anew; a final stretch tunes the step
size to the last metric. Source: Carpenter et al. 2017, Journal of Statistical Software 76(1), and Stan's reference
manual, "HMC algorithm parameters".
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from adl.core import tree
from adl.core.types import Array

INITIAL, FIRST, FINAL = 75, 25, 50  # transitions before, in the first of, and after the windows


class DualAveraging(NamedTuple):
    """Search for the step size whose acceptance is the target."""

    count: Array  # [] updates since it was started
    center: Array  # [] log step size that it shrinks to
    error: Array  # [] running mean of target - acceptance
    log_step: Array  # [] log step size to be tried next
    log_average: Array  # [] log step size to be kept


class WindowMoments(NamedTuple):
    """Mean and sum of squares of a window's positions, one at a time."""

    count: Array  # [] positions
    mean: Array  # [D]
    squares: Array  # [D] or [D, D] sum of (products of) deviations from the mean


class Adaptation(NamedTuple):
    """What a chain knows of its target: the step size, and the inverse mass."""

    count: Array  # [] transitions so far
    averaging: DualAveraging
    moments: WindowMoments
    inverse_mass: Array  # [D] variances, or [D, D] covariance, of the target as estimated


def dual_averaging(step_size: Array) -> DualAveraging:
    """A search that starts at `step_size` `[]` and prefers ten times that, as long steps that work are cheap."""
    log_step = jnp.log(step_size)
    zero = jnp.zeros_like(log_step)
    return DualAveraging(zero, log_step + jnp.log(10.0), zero, log_step, log_step)


def searched(
    state: DualAveraging,
    acceptance: Array,
    *,
    target: float,
    gamma: float = 0.05,
    t0: float = 10.0,
    kappa: float = 0.75,
) -> DualAveraging:
    """The search after one more transition.

        error_t = (1 - 1 / (t + t0)) error_{t-1} + (target - acceptance) / (t + t0)
        log_step_{t+1} = center - sqrt(t) / gamma error_t
        log_average_t = t^-kappa log_step_{t+1} + (1 - t^-kappa) log_average_{t-1}

    Args:
      state: so far.
      acceptance: `[]` in [0, 1], mean acceptance probability of the transition.
      target: in (0, 1), the acceptance that is wanted.
      gamma: > 0; larger shrinks more to the center.
      t0: >= 0; larger damps the first updates.
      kappa: in (0.5, 1]; how fast the average forgets.
    Source: Hoffman & Gelman 2014, Journal of Machine Learning Research 15, eq. 6.
    """
    t = state.count + 1
    error = state.error + (target - acceptance - state.error) / (t + t0)
    log_step = state.center - jnp.sqrt(t) / gamma * error
    weight = t**-kappa
    log_average = weight * log_step + (1 - weight) * state.log_average
    return DualAveraging(t, state.center, error, log_step, log_average)


def moments(inverse_mass: Array) -> WindowMoments:
    """No positions yet, for variances `[D]` or a covariance `[D, D]`."""
    return WindowMoments(
        jnp.zeros(()),
        jnp.zeros_like(inverse_mass[0] if inverse_mass.ndim == 2 else inverse_mass),
        jnp.zeros_like(inverse_mass),
    )


def observed(state: WindowMoments, position: Array) -> WindowMoments:
    """WindowMoments with one more position `[D]`.

    Source: Welford 1962, Technometrics 4(3).
    """
    count = state.count + 1
    before = position - state.mean
    mean = state.mean + before / count
    after = position - mean
    return WindowMoments(
        count, mean, state.squares + (jnp.outer(before, after) if state.squares.ndim == 2 else before * after)
    )


def regularised(state: WindowMoments) -> Array:
    """Inverse mass from a window's moments: n / (n + 5) covariance + 5 / (n + 5) 1e-3 identity, as Stan's."""
    n = state.count
    unit = jnp.eye(len(state.mean)) if state.squares.ndim == 2 else jnp.ones_like(state.mean)
    return (n * state.squares / jnp.maximum(n - 1, 1) + 5e-3 * unit) / (n + 5)


def windows(num_warmup: int) -> tuple[np.ndarray, np.ndarray]:
    """When the metric is estimated, and when it is renewed: two masks `[num_warmup + 1]`, False at the end.

    Fewer than 20 transitions adapt the step size only; fewer than 150 spend 15 % before and 10 % after one window.

    Args:
      num_warmup: transitions that adapt, >= 0.
    """
    initial, first, final = INITIAL, FIRST, FINAL
    if initial + first + final > num_warmup:
        initial, final = int(0.15 * num_warmup), int(0.1 * num_warmup)
        first = num_warmup - initial - final
    is_slow, is_end = np.zeros((2, num_warmup + 1), bool)
    if num_warmup < 20:
        return is_slow, is_end
    stop = num_warmup - final
    is_slow[initial:stop] = True
    start, size = initial, first
    while start < stop:
        # A window after which the next, twice as long, would not fit takes all that is left.
        end = start + size if start + 3 * size <= stop else stop
        is_end[end - 1] = True
        start, size = end, 2 * size
    return is_slow, is_end


def begun(inverse_mass: Array, step_size: float) -> Adaptation:
    """The state before the first transition: unit or given inverse mass `[D]` or `[D, D]`, and a step size to try."""
    return Adaptation(
        jnp.zeros((), jnp.int32), dual_averaging(jnp.asarray(step_size, float)), moments(inverse_mass), inverse_mass
    )


def step_size(state: Adaptation, num_warmup: int) -> Array:
    """`[]` step size of the next transition: the one being tried, after the warm-up the average."""
    averaging = state.averaging
    return jnp.exp(jnp.where(state.count < num_warmup, averaging.log_step, averaging.log_average))


def adapted(state: Adaptation, position: Array, acceptance: Array, *, num_warmup: int, target: float) -> Adaptation:
    """The state after one more transition; after the warm-up only the count moves.

    Args:
      state: so far.
      position: `[D]` after the transition.
      acceptance: `[]` in [0, 1], of the transition.
      num_warmup: transitions that adapt, >= 0.
      target: in (0, 1), the acceptance that is wanted.
    """
    is_slow, is_end = (jnp.asarray(mask)[jnp.minimum(state.count, num_warmup)] for mask in windows(num_warmup))
    averaging = searched(state.averaging, acceptance, target=target)
    seen = tree.where(is_slow, observed(state.moments, position), state.moments)
    renewed = (dual_averaging(jnp.exp(averaging.log_average)), moments(state.inverse_mass), regularised(seen))
    found = tree.where(is_end, renewed, (averaging, seen, state.inverse_mass))
    kept = tree.where(state.count < num_warmup, found, (state.averaging, state.moments, state.inverse_mass))
    return Adaptation(state.count + 1, *kept)
