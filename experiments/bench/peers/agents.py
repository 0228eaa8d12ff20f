"""Agents as contenders: what their steps cost, and when they can play.

A peer is a training, `train(cfg) -> Iterator`, that yields after each step the returns of the episodes that ended in
it; adl's is that of an experiment, for any number of seeds in one program.
"""

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from adl.core import jitted, over_seeds, repeated
from adl.rl.rollout import last_episodes
from experiments.bench import Contenders, apart

Train = Callable[[Any], Iterator[list[float]]]
WINDOW = 100  # episodes whose mean return is asked for


def theirs(train: Train, config: Any, num_steps: int) -> Callable[[], float]:
    """Milliseconds a step, each round where the last one left off."""
    training = train(config)

    def run() -> float:
        started = time.perf_counter()
        for _ in range(num_steps):
            next(training)
        return 1e3 * (time.perf_counter() - started) / num_steps

    return run


def ours(build: Callable, config: Any, num_steps: int, num_seeds: int) -> Callable[[], float]:
    """The same of an experiment's algorithm: milliseconds a step and seed."""
    algorithm, key = _program(build, config, num_steps, num_seeds), jax.random.key(0)
    state = [algorithm.init(key, ())]

    def run() -> float:
        started = time.perf_counter()
        state[0], metrics = algorithm.step(key, state[0], ())
        jax.block_until_ready((state, metrics))
        return 1e3 * (time.perf_counter() - started) / num_steps / num_seeds

    return run


def by_seeds(build: Callable, config: Any, num_steps: int, seeds: Sequence[int]) -> Contenders:
    """`ours` for so many seeds, each in a process of its own."""
    names = {n: "adl, one seed" if n == 1 else f"adl, {n} seeds in one program, each" for n in seeds}
    return {names[n]: apart(ours, build, config, max(num_steps // n, 4), n) for n in seeds}


def by_seeds_until(build: Callable, config: Any, goal: float, num_steps: int, seeds: Sequence[int]) -> Contenders:
    """`ours_until` for so many seeds, and how long the first of these programs takes to compile."""
    first = {
        f"adl, one seed: {name}": apart(compiled, build, config, num_steps, seeds[0], is_cached)
        for name, is_cached in {"compilation": False, "compilation, cached": True}.items()
    }
    names = {n: "adl, one seed" if n == 1 else f"adl, {n} seeds in one program, the last" for n in seeds}
    return first | {names[n]: apart(ours_until, build, config, goal, num_steps, n) for n in seeds}


def theirs_until(train: Train, config: Any, goal: float) -> Callable[[], float]:
    """Milliseconds from the start until the last 100 episodes return `goal`; each round is a run with a new seed."""
    seeds = itertools.count()

    def run() -> float:
        last, started = deque(maxlen=WINDOW), time.perf_counter()
        for returns in train(replace(config, seed=next(seeds))):
            last.extend(returns)
            if len(last) == WINDOW and np.mean(last) >= goal:
                return 1e3 * (time.perf_counter() - started)
        return math.inf

    return run


def ours_until(build: Callable, config: Any, goal: float, num_steps: int, num_seeds: int) -> Callable[[], float]:
    """The same of an experiment's algorithm, without its compilation; of several seeds, until each has had it once.

    Args:
      build: of the experiment.
      config: of the run.
      goal: return.
      num_steps: of a call; only after it is seen how the last episodes went.
      num_seeds: in one program.
    """
    algorithm, keys = _program(build, config, num_steps, num_seeds), map(jax.random.key, itertools.count())
    look = jax.jit(lambda copies: last_episodes(copies)["return"])
    look = jax.jit(jax.vmap(look)) if num_seeds > 1 else look

    def run() -> float:
        key, reached, started = next(keys), np.zeros(num_seeds, bool), time.perf_counter()
        state = algorithm.init(key, ())
        for call in range(config.num_steps // num_steps):
            state, _ = algorithm.step(jax.random.fold_in(key, call), state, ())
            seen = jax.device_get(look(state.copies))
            reached |= (seen.count == WINDOW) & (seen.total >= goal * WINDOW)
            if reached.all():
                return 1e3 * (time.perf_counter() - started)
        return math.inf

    return run


def compiled(build: Callable, config: Any, num_steps: int, num_seeds: int, is_cached: bool) -> Callable[[], float]:
    """Milliseconds until the program of `ours_until` is there and has run once, its first state included.

    Args:
      build: of the experiment.
      config: of the run.
      num_steps: of a call.
      num_seeds: in one program.
      is_cached: as on the second day, with JAX's cache on disk; else as on the first.
    """
    jax.config.update("jax_enable_compilation_cache", is_cached)

    def run() -> float:
        jax.clear_caches()
        started = time.perf_counter()
        algorithm, key = _program(build, config, num_steps, num_seeds), jax.random.key(0)
        jax.block_until_ready(algorithm.step(key, algorithm.init(key, ()), ()))
        return 1e3 * (time.perf_counter() - started)

    return run


def _program(build: Callable, config: Any, num_steps: int, num_seeds: int):
    algorithm = build(config, None, None).algorithm
    algorithm = over_seeds(algorithm, num_seeds) if num_seeds > 1 else algorithm
    return jitted(repeated(algorithm, num_steps))
