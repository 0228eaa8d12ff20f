"""Chains side by side: what one chain does, for many along a leading axis that devices split; and all of it in one
call, `run`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import Algorithm, BadInput, Mean, jitted, tree
from adl.core.types import Array, Key, PyTree, State
from adl.sampling.summary import Sampled, summarised


class Walker(NamedTuple):
    """State of C chains that need no more than where they are."""

    position: PyTree  # leaves [C, ...]
    log_density: Array  # [C]


def any_one(positions: Callable[[Key, State], Array], *, axis: int = 0) -> Callable[[Key, State], Array]:
    """`(key, state) -> [D]`, where a chain that is chosen at random is; of several targets all of it, in a row.

    Args:
      positions: `(key, state)` to positions with the chains along an axis.
      axis: of the chains.
    """

    def draw(key: Key, state: State) -> Array:
        key, own = jax.random.split(key)
        return jax.random.choice(own, positions(key, state), axis=axis).ravel()

    return draw


def side_by_side(
    begin: Callable[[Key], State],
    move: Callable[[Key, State, PyTree], tuple[State, Mapping[str, Array]]],
    *,
    num_chains: int,
) -> Algorithm:
    """C chains that know nothing of each other; each reported value becomes a mean over them.

    Args:
      begin: `begin(key) -> state` of one chain.
      move: `move(key, state, batch) -> (state, {name: []})` of one chain; all see the same batch.
      num_chains: C >= 1.
    Source: none, what moves is the caller's.
    """

    def init(key, batch):
        return jax.vmap(begin)(jax.random.split(key, num_chains))

    def step(key, state, batch):
        # As many as are here: a device holds its share of the chains.
        keys = jax.random.split(key, jax.tree.leaves(state)[0].shape[0])
        state, metrics = jax.vmap(move, (0, 0, None))(keys, state, batch)
        return state, {name: Mean.of(values) for name, values in metrics.items()}

    return Algorithm(init, step, axes=0)


def supported(log_density: Array) -> Array:
    """`[...]` a log-density where it is one: -inf, which no chain stays at, where it is +inf or not a number."""
    return jnp.where(log_density < jnp.inf, log_density, -jnp.inf)


def log_ratio(there: Array, here: Array) -> Array:
    """`[...]` log p(there) - log p(here) by which a chain moves, from `supported` log-densities.

    From outside the support, where a chain may begin, any point inside is taken, and none outside: inf - inf refuses.
    """
    there, here = supported(there), supported(here)
    inside = jnp.where(there > -jnp.inf, jnp.inf, -jnp.inf)
    return jnp.where(here > -jnp.inf, there - here, inside)


def acceptance(log_ratio: Array) -> Array:
    """`[...]` min(1, exp(log_ratio)), 0 where it is not a number.

    Source: Metropolis et al. 1953, Journal of Chemical Physics 21(6); Hastings 1970, Biometrika 57(1).
    """
    return jnp.exp(jnp.minimum(jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio), 0))


def accepted(key: Key, log_ratio: Array, new: State, old: State) -> tuple[State, Array]:
    """`new` with the probability `acceptance(log_ratio)`, else `old`; and that probability `[]`."""
    probability = acceptance(log_ratio)
    return tree.where(jax.random.uniform(key) < probability, new, old), probability


def run(
    key: Key,
    algorithm: Algorithm,
    num_draws: int,
    *,
    num_warmup: int | None = None,
    thin: int = 1,
    batch: PyTree = (),
    view: Callable[[State], PyTree] = lambda state: getattr(state, "position", state),
) -> Sampled:
    """Warm-up, draws and diagnostics in one call: `print(chains.run(key, nuts(...), 1000, num_warmup=500))`.

    Args:
      key: consumed.
      algorithm: chains along a leading axis, of any sampler of this package.
      num_draws: N >= 1, of each chain.
      num_warmup: transitions before the first draw, >= 0: of a sampler that warms itself up at least its own
        `num_warmup`, and to be given; of others 0 by default.
      thin: >= 1, transitions a draw; the last of them is kept.
      batch: that every step sees; `()` for samplers of a density.
      view: what is drawn, `view(state) -> leaves [C, ...]`: the position; of replicas `tempering.coldest`.
    Raises:
      BadInput: for a length that is none, or where the chains still adapted while they drew.
    """
    for name, value, least in (("num_draws", num_draws, 1), ("num_warmup", num_warmup or 0, 0), ("thin", thin, 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise BadInput(f"{name}={value!r}: it must be a whole number, at least {least}")
    init_key, warm_key, draw_key = jax.random.split(key, 3)
    state = jitted(algorithm).init(init_key, batch)
    known = getattr(state, "adaptation", None)
    if known is not None and num_warmup is None:
        raise BadInput("num_warmup: these chains warm themselves up; give as many transitions as the sampler was given")
    if num_warmup:
        warm = jitted(algorithm._replace(step=_several(algorithm, num_warmup, 1, lambda state: ())))
        state, _ = warm.step(warm_key, state, batch)
    warmed = jax.device_get(getattr(state, "adaptation", None))
    drawing = jitted(algorithm._replace(step=_several(algorithm, num_draws, thin, view)))
    state, (draws, metrics) = drawing.step(draw_key, state, batch)
    _require_still(warmed, getattr(state, "adaptation", None), num_warmup)
    draws = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), draws)
    return Sampled(draws, summarised(draws), {name: np.asarray(mean.value) for name, mean in metrics.items()}, state)


def _several(algorithm: Algorithm, num: int, thin: int, view: Callable[[State], PyTree]) -> Callable:
    """`num` times `thin` steps: what is seen after each time, and the metrics of all, both `[num, ...]`."""

    def one(batch, state, key):
        def move(state, key):
            return algorithm.step(key, state, batch)

        state, metrics = lax.scan(move, state, jax.random.split(key, thin))
        return state, (view(state), jax.tree.map(lambda x: x.sum(0), metrics))

    return lambda key, state, batch: lax.scan(functools.partial(one, batch), state, jax.random.split(key, num))


def _require_still(before: PyTree, after: PyTree, num_warmup: int | None) -> None:
    """Nothing, where all that chains know of their target, but for how often they moved, is as it was."""
    if before is None:
        return
    pairs = zip(jax.tree.leaves(before._replace(count=0)), jax.tree.leaves(after._replace(count=0)), strict=True)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        raise BadInput(
            f"num_warmup={num_warmup}: the sampler was made with more, and adapted while it drew; give as many"
        )
