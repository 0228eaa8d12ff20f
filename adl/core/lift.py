"""How often a step runs: lifts, algorithm in, algorithm out. Never what it computes.

`place` says where; no other file names a device, a mesh, `jit`, `pmap`, or `vmap` over seeds.

Keys follow the lifts. A lift that makes n runs or n steps takes n keys along the leading axis of its `key`,
`keys[s]` being the key of run s, or one key, which it splits. So slice s of `over_seeds` is the run with key s, and
`repeated(alg, n)` with the keys of n steps is these n steps.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import tree
from adl.core.key import split_once
from adl.core.stages import step_of
from adl.core.types import Algorithm, Array, Batch, Key, Metrics, PyTree, State


def over_seeds(alg: Algorithm, n: int) -> Algorithm:
    """n independent runs on the same batches as one program: state and metrics gain a leading axis `[S]`.

    Args:
      alg: any algorithm.
      n: number of runs S >= 1.
    """

    def init(key, batch):
        return jax.vmap(alg.init, (0, None))(split_once(key, n), batch)

    def step(key, state, batch):
        return jax.vmap(alg.step, (0, 0, None))(split_once(key, n), state, batch)

    return Algorithm(init, step, _shifted(alg.axes))


def ensemble(alg: Algorithm, n: int, own: Callable[[Batch, Array], Batch] = lambda batch, member: batch) -> Algorithm:
    """n members that are one algorithm: the state gains a leading axis `[M]`, metrics are merged over the members.

    Where `over_seeds` gives n results, this gives one: what looks at its state sees all members at once, and its
    metrics are scalars, so that an ensemble takes every lift itself.

    Args:
      alg: any algorithm; members differ by their keys, and by what each sees of a batch.
      n: number of members M >= 1.
      own: `own(batch, member [])`, that: all of it, or for cross-validation with a fold masked out.
    """

    def init(key, batch):
        return jax.vmap(lambda key, m: alg.init(key, own(batch, m)))(split_once(key, n), jnp.arange(n))

    def step(key, state, batch):
        def one(key, state, m):
            return alg.step(key, state, own(batch, m))

        state, metrics = jax.vmap(one)(split_once(key, n), state, jnp.arange(n))
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step, _shifted(alg.axes))


def beside(algs: Mapping[str, Algorithm]) -> Algorithm:
    """Different algorithms on the same batches as one: the state is `{name: state}`, each with keys of its own.

    Each metric is told of each as "name_metric", and as "metric" merged over all that have it.

    Args:
      algs: algorithms by name.
    """

    def keys(key):
        return dict(zip(algs, jax.random.split(key, len(algs)), strict=True))

    def init(key, batch):
        own = keys(key)
        return {name: alg.init(own[name], batch) for name, alg in algs.items()}

    def step(key, state, batch):
        own, new, metrics = keys(key), {}, {}
        for name, alg in algs.items():
            new[name], told = alg.step(own[name], state[name], batch)
            for metric, mean in told.items():
                metrics[metric] = metrics[metric] + mean if metric in metrics else mean
                metrics[f"{name}_{metric}"] = mean
        return new, metrics

    return Algorithm(init, step, {name: alg.axes for name, alg in algs.items()})


def over_values(make: Callable[[PyTree], Algorithm], values: PyTree) -> Algorithm:
    """One run for each value of a hyper-parameter, all with the same keys and batches, as one program.

    Args:
      make: `make(value) -> Algorithm`; it must not branch in Python on the value, which is traced.
      values: leaves `[V]`, one entry a run; state and metrics gain the leading axis `[V]`.
    """
    values = jax.tree.map(jnp.asarray, values)

    def init(key, batch):
        return jax.vmap(lambda value: make(value).init(key, batch))(values)

    def step(key, state, batch):
        return jax.vmap(lambda value, s: make(value).step(key, s, batch))(values, state)

    return Algorithm(init, step, _shifted(make(tree.take(values, 0)).axes))


def in_turn(make: Callable[[PyTree], Algorithm], values: PyTree) -> Algorithm:
    """One algorithm for each value, one after the other in a program: the state gains a leading axis `[V]`.

    Each has keys of its own; metrics are merged over them. Not `over_values`, under which a conditional on the value
    runs every branch for each.

    Args:
      make: `make(value) -> Algorithm`; it must not branch in Python on the value, which is traced.
      values: leaves `[V]`, one entry for each.
    """
    values = jax.tree.map(jnp.asarray, values)
    count = len(jax.tree.leaves(values)[0])

    def init(key, batch):
        return lax.map(lambda own: make(own[1]).init(own[0], batch), (jax.random.split(key, count), values))

    def step(key, state, batch):
        def one(own):
            key, state, value = own
            return make(value).step(key, state, batch)

        state, metrics = lax.map(one, (jax.random.split(key, count), state, values))
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step, _shifted(make(tree.take(values, 0)).axes))


def repeated(alg: Algorithm, n: int) -> Algorithm:
    """n steps a dispatch (scan): the batch gains a leading axis `[n]`, metrics are summed over the steps.

    Args:
      alg: any algorithm.
      n: steps a call, >= 1.
    """

    def init(key, batches):
        return alg.init(key, tree.take(batches, 0))

    def step(key, state, batches):
        def body(state, inputs):
            key, batch = inputs
            return alg.step(key, state, batch)

        state, metrics = lax.scan(body, state, (split_once(key, n), batches), length=n)
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step, alg.axes)


class Phases(NamedTuple):
    """State of `alternate`: the step's number, and the state that all phases share."""

    count: Array  # [] steps taken
    state: PyTree


def reporting(alg: Algorithm, *names: str) -> Algorithm:
    """The same, which of its metrics reports some.

    Args:
      alg: any.
      names: of the metrics that stay; * stands for any text.
    """

    def step(key: Key, state: PyTree, batch: PyTree) -> tuple[PyTree, Metrics]:
        state, metrics = alg.step(key, state, batch)
        return state, {name: mean for name, mean in metrics.items() if any(fnmatchcase(name, one) for one in names)}

    return alg._replace(step=step)


def alternate(
    init: Callable[[Key, Batch], State],
    steps: Sequence[Callable[[Key, State, Batch], tuple[State, Metrics]]],
    periods: Sequence[int],
    axes: PyTree = None,
) -> Algorithm:
    """Phases in turn: `periods[0]` steps of the first, `periods[1]` of the second, ..., and again.

    `(critic, generator), (5, 1)` is n_critic = 5; `(assign, learn), (1, 500)` is DeepCluster. A metric that the
    current phase does not report counts nothing (`Mean(0, 0)`). Put it outside `over_seeds`: under `vmap` a
    conditional on a batched count would run every branch.

    Args:
      init: initial state, shared by all phases.
      steps: steps on that state.
      periods: steps each phase lasts, >= 1.
      axes: of the state, as in `Algorithm`.
    """
    ends = np.cumsum(periods)

    def first(key, batch):
        return Phases(jnp.zeros((), jnp.int32), init(key, batch))

    def step(key, phases, batch):
        phase = jnp.searchsorted(jnp.asarray(ends), phases.count % int(ends[-1]), side="right")
        state, metrics = step_of(steps, phase, key, phases.state, batch)
        return Phases(phases.count + 1, state), metrics

    return Algorithm(first, step, Phases(None, axes))


def trace(
    alg: Algorithm, n: int, view: Callable[[State], PyTree] = lambda state: state
) -> Callable[[Key, State, Batch], tuple[State, PyTree]]:
    """n steps that keep a view of each state: the draws of a Markov chain, the path of a sampler.

    Args:
      alg: any algorithm; all n steps see the same batch.
      n: number of steps.
      view: what to keep of the state after a step.
    Returns:
      `draw(key, state, batch=()) -> (state, views)`, the views with a leading axis `[n]`.
    """

    def draw(key, state, batch=()):
        def body(state, key):
            state, _ = alg.step(key, state, batch)
            return state, view(state)

        return lax.scan(body, state, split_once(key, n))

    return draw


def until_still(
    alg: Algorithm, *, tolerance: float = 1e-5, max_steps: int = 100
) -> Callable[[Key, Batch], tuple[State, Array]]:
    """Steps until nothing moves: what an algorithm whose every step sees all data converges to.

    Args:
      alg: deterministic, such as Newton's method by `accumulate`.
      tolerance: > 0; no entry of a leaf moves by more than this times the leaf's largest entry, or 1 if that is less.
      max_steps: >= 1, after which whatever was reached is returned.
    Returns:
      `reach(key, batch) -> (state, count)`: the state that the algorithm no longer leaves, from its own start, and the
      number of steps `[]` to it. The key is of the start, and every step gets the same one.
    """

    def moves(old, new):
        return jnp.abs(new - old).max() > tolerance * jnp.maximum(jnp.abs(new).max(), 1)

    def reach(key, batch):
        def unfinished(carry):
            count, _, is_moving = carry
            return is_moving & (count < max_steps)

        def move(carry):
            count, state, _ = carry
            new, _ = alg.step(key, state, batch)
            return count + 1, new, jnp.stack(jax.tree.leaves(jax.tree.map(moves, state, new))).any()

        count, state, _ = lax.while_loop(unfinished, move, (0, alg.init(key, batch), True))
        return state, count

    return reach


def _shifted(axes: PyTree) -> PyTree:
    """Axes of a state that gained a leading axis."""
    return jax.tree.map(lambda at: at + 1, axes)
