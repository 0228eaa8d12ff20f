"""Adaptive rejection: a log-concave density between tangents above and chords below, which each refusal tightens.

    l(x) <= log p(x) <= u(x),   u piecewise linear by tangents at known points, l by the chords between them

A draw from exp(u), piecewise exponential, is kept if log(w) < l(x) - u(x), without a look at p (the squeeze); else
p is evaluated there, x joins the known points, and log(w) < log p(x) - u(x) decides.
Source: Gilks & Wild 1992, Applied Statistics 41(2), section 2.2, of which the hull's equations 1 to 4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key
from adl.sampling.hmc import LogDensity

ROUNDING = 1e-4  # share of a log-density or slope by which it may miss what a concave one has


class Hull(NamedTuple):
    """What is known of the density, at points in their order; beyond `count` nothing."""

    x: Array  # [M]
    log_density: Array  # [M]
    slope: Array  # [M] of the log-density
    count: Array  # [] points


class _Attempt(NamedTuple):
    hull: Hull
    x: Array  # []
    is_kept: Array  # []
    num_tries: Array  # []
    num_evaluations: Array  # []
    is_sound: Array  # [] whether all that was seen so far is concave


def adaptive_rejection(
    key: Key,
    log_density: LogDensity,
    start: Array,
    n: int,
    *,
    low: float = -jnp.inf,
    high: float = jnp.inf,
    capacity: int = 64,
) -> tuple[Array, Hull, Array]:
    """n exact draws `[n]`, the hull that they left, and the evaluations `[]` of the density that they took.

    If a value or a slope shows that the density is not log-concave, or that the start does not enclose its support,
    none is exact and all are nan.

    Args:
      key: consumed.
      log_density: log p(x) `[]` of one number, concave, up to a constant.
      start: `[P]` points in rising order, P >= 2, within the support; where it has no end, the first has a slope
        above 0, the last one below 0.
      n: draws.
      low: end of the support.
      high: the other.
      capacity: M > P, points that are kept at most; a full hull stays as it is, and remains exact.
    """
    value_and_slope = jax.value_and_grad(log_density)

    def one(state, key):
        hull, used, is_sound = state

        def attempt(state):
            side_key, keep_key = jax.random.split(jax.random.fold_in(key, state.num_tries))
            x, above = _draw(side_key, state.hull, low, high)
            log_w = -jax.random.exponential(keep_key)
            below = _below(state.hull, x)
            is_squeezed = log_w < below - above

            def look(hull):
                log_p, slope = value_and_slope(x)
                rounding = ROUNDING * (1 + jnp.abs(above) + jnp.abs(jnp.where(below > -jnp.inf, below, 0)))
                is_between = (log_p <= above + rounding) & (below - rounding <= log_p)
                return _inserted(hull, x, log_p, slope), log_w < log_p - above, is_between

            yes = jnp.ones((), bool)
            hull, is_kept, is_sound = lax.cond(is_squeezed, lambda hull: (hull, yes, yes), look, state.hull)
            is_sound &= state.is_sound & jnp.isfinite(x)
            return _Attempt(hull, x, is_kept, state.num_tries + 1, state.num_evaluations + ~is_squeezed, is_sound)

        zero = jnp.zeros((), jnp.int32)
        begin = _Attempt(hull, jnp.zeros_like(hull.x[0]), jnp.zeros((), bool), zero, used, is_sound)
        end = lax.while_loop(lambda state: ~state.is_kept & state.is_sound, attempt, begin)
        return (end.hull, end.num_evaluations, end.is_sound), end.x

    values, slopes = jax.vmap(value_and_slope)(start)
    padded = [jnp.zeros(capacity).at[: len(start)].set(known) for known in (start, values, slopes)]
    count = jnp.asarray(len(start), jnp.int32)
    begin = Hull(*padded, count), count, _encloses(values, slopes, low, high)
    (hull, used, is_sound), x = lax.scan(one, begin, jax.random.split(key, n))
    return jnp.where(is_sound, x, jnp.nan), hull, used


def _encloses(values: Array, slopes: Array, low: float, high: float) -> Array:
    """`[]` whether tangents `[P]` fall on both sides, and never less steeply than the one before."""
    is_concave = (slopes[1:] <= slopes[:-1] + ROUNDING * jnp.abs(slopes[:-1])).all() & jnp.isfinite(values).all()
    left, right = (slopes[0] > 0) | (low > -jnp.inf), (slopes[-1] < 0) | (high < jnp.inf)
    return is_concave & jnp.isfinite(slopes).all() & left & right


def _corners(hull: Hull, low: float, high: float) -> tuple[Array, Array]:
    """Where each tangent takes over and gives way, `[M]` both: eq. 1."""
    d, h, x = hull.slope, hull.log_density, hull.x
    drop = d[:-1] - d[1:]
    middle = 0.5 * (x[:-1] + x[1:])
    # From the middle, of which the crossing is not far: differences of large numbers would cancel.
    gap = h[1:] - h[:-1] - 0.5 * (x[1:] - x[:-1]) * (d[1:] + d[:-1])
    crossing = middle + jnp.where(drop > 0, gap / jnp.where(drop > 0, drop, 1.0), 0.0)
    crossing = jnp.clip(crossing, jnp.minimum(x[:-1], x[1:]), jnp.maximum(x[:-1], x[1:]))
    place = jnp.arange(len(x))
    left = jnp.concatenate([jnp.full(1, low), crossing])
    right = jnp.concatenate([crossing, jnp.full(1, high)])
    return left, jnp.where(place == hull.count - 1, high, right)


def _draw(key: Key, hull: Hull, low: float, high: float) -> tuple[Array, Array]:
    """A draw `[]` from the density that exp(u) is in proportion to, and u `[]` there: eq. 3."""
    which_key, place_key = jax.random.split(key)
    left, right = _corners(hull, low, high)
    rises, rate = hull.slope > 0, jnp.abs(hull.slope)
    # Each piece is highest at one end, and falls from there at its rate.
    anchor = jnp.where(rises, right, left)
    top = hull.log_density + hull.slope * (anchor - hull.x)
    length = right - left
    is_flat = rate * length < 1e-4
    filled = -jnp.expm1(-rate * length)
    log_mass = top + jnp.where(is_flat, jnp.log(length), jnp.log(filled) - jnp.log(jnp.where(is_flat, 1.0, rate)))
    is_known = (jnp.arange(len(left)) < hull.count) & (length > 0)
    k = jax.random.categorical(which_key, jnp.where(is_known, log_mass, -jnp.inf))
    u = jax.random.uniform(place_key)
    far = jnp.where(is_flat[k], u * length[k], -jnp.log1p(-u * filled[k]) / jnp.where(is_flat[k], 1.0, rate[k]))
    x = anchor[k] + jnp.where(rises[k], -far, far)
    return x, hull.log_density[k] + hull.slope[k] * (x - hull.x[k])


def _below(hull: Hull, x: Array) -> Array:
    """l(x) `[]`, -inf outside of the known points: eq. 4."""
    is_known = jnp.arange(len(hull.x)) < hull.count
    k = (is_known & (hull.x <= x)).sum()
    a, b = jnp.maximum(k - 1, 0), jnp.minimum(k, hull.count - 1)
    width = hull.x[b] - hull.x[a]
    share = (x - hull.x[a]) / jnp.where(width > 0, width, 1.0)
    value = hull.log_density[a] + share * (hull.log_density[b] - hull.log_density[a])
    return jnp.where((k > 0) & (k < hull.count), value, -jnp.inf)


def _inserted(hull: Hull, x: Array, log_density: Array, slope: Array) -> Hull:
    """With one more point, unless it is full, or the point is known or of no density."""
    place = jnp.arange(len(hull.x))
    is_known = place < hull.count
    k = (is_known & (hull.x < x)).sum()
    is_new = ~(is_known & (hull.x == x)).any() & (hull.count < len(hull.x)) & jnp.isfinite(log_density + slope)

    def put(values, value):
        shifted = jnp.where(place < k, values, jnp.where(place == k, value, jnp.roll(values, 1)))
        return jnp.where(is_new, shifted, values)

    return Hull(put(hull.x, x), put(hull.log_density, log_density), put(hull.slope, slope), hull.count + is_new)
