"""Slice sampling: a level under the density at random, then a point of the slice of all places above that level.

    y ~ U[0, p(x)],   x' ~ U{x: p(x) > y} on a line through x

An interval around x steps out until both ends are below the level, and shrinks to the points that miss the slice; both
are reversible. Nothing is refused, and a width that is wrong costs evaluations only.
Source: Neal 2003, Annals of Statistics 31(3), sections 4.1 and 4.2, figures 3 and 5.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling.chains import Walker, side_by_side, supported
from adl.sampling.hmc import LogDensity
from adl.sampling.position import flattening


class _Shrinking(NamedTuple):
    left: Array  # [] < 0, or 0
    right: Array  # [] > 0, or 0
    place: Array  # [] the newest point
    log_density: Array  # [] there
    count: Array  # [] points so far
    is_done: Array  # []


def along(
    key: Key, log_density: LogDensity, walker: Walker, direction: Array, *, width: Array | float, max_steps: int
) -> tuple[Walker, Array]:
    """One update along a line, which leaves the target invariant; and the evaluations `[]` that it took.

    Args:
      key: consumed.
      log_density: of the target; no gradient is taken.
      walker: of one chain: a position `[D]`, and its log-density.
      direction: `[D]` of the line.
      width: `[]` > 0 of the first interval, in lengths of the direction.
      max_steps: widths that the interval grows to at most, >= 1.
    """
    level_key, place_key, share_key, shrink_key = jax.random.split(key, 4)
    level = supported(walker.log_density) - jax.random.exponential(level_key)

    def value(t):
        return supported(log_density(walker.position + t * direction))

    def step_out(end, stride, budget):
        def is_inside(state):
            end, used = state
            return (used < budget) & (value(end) > level)

        return lax.while_loop(is_inside, lambda state: (state[0] + stride, state[1] + 1), (end, jnp.zeros((), "int32")))

    left = -width * jax.random.uniform(place_key)
    budget = jnp.floor(max_steps * jax.random.uniform(share_key)).astype("int32")
    right, num_right = step_out(left + width, width, max_steps - 1 - budget)
    left, num_left = step_out(left, -width, budget)

    def shrink(state):
        t = jax.random.uniform(jax.random.fold_in(shrink_key, state.count), minval=state.left, maxval=state.right)
        log_p = value(t)
        return _Shrinking(
            jnp.where(t < 0, t, state.left),
            jnp.where(t < 0, state.right, t),
            t,
            log_p,
            state.count + 1,
            log_p >= level,
        )

    zero = jnp.zeros_like(left)
    start = _Shrinking(left, right, zero, walker.log_density, jnp.zeros((), "int32"), jnp.zeros((), bool))
    # Where a level rounds to what no place but the start has, the interval shrinks to it, and that ends.
    end = lax.while_loop(lambda state: ~state.is_done & (state.left < state.right), shrink, start)
    moved = walker.position + jnp.where(end.is_done, end.place, 0) * direction
    new = Walker(moved, jnp.where(end.is_done, end.log_density, walker.log_density))
    return new, num_left + num_right + 2 + end.count


@flattening
def slice_sampler(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    width: float | Array = 1.0,
    max_steps: int = 32,
) -> Algorithm:
    """Slice sampling of each coordinate in turn; state is a `Walker`, batches are empty.

    Metrics, over the chains: "potential" -log p in nats, "evaluations" of the density a step.

    Args:
      log_density: of the target; it need not be differentiable.
      start: as in `hmc.hmc`.
      num_chains: C >= 1.
      width: `[]` or `[D]` > 0, or a tree as the position: about the width of the target, in units of the coordinates.
      max_steps: widths that an interval grows to at most, >= 1.
    """

    def begin(key):
        position = start(key)
        return Walker(position, log_density(position))

    def move(key, walker, batch):
        dim = len(walker.position)
        widths = jnp.broadcast_to(jnp.asarray(width, float), (dim,))

        def one(walker, inputs):
            key, direction = inputs
            return along(key, log_density, walker, direction, width=1.0, max_steps=max_steps)

        walker, evaluations = lax.scan(one, walker, (jax.random.split(key, dim), jnp.diag(widths)))
        metrics = {"potential": -walker.log_density, "evaluations": evaluations.sum().astype(float)}
        return walker, metrics

    return side_by_side(begin, move, num_chains=num_chains)
