"""Lifts: algorithm in, algorithm out. Where and how often a step runs, never what it computes.

The only file, beside `layout`, that names a device, a mesh, `jit`, `pmap`, or `vmap` over seeds.

Keys follow the lifts. A lift that makes n runs or n steps takes n keys along the leading axis of its `key`,
`keys[s]` being the key of run s, or one key, which it splits. So slice s of `over_seeds` is the run with key s, and
`repeated(alg, n)` with the keys of n steps is these n steps.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adl.core import tree
from adl.core.layout import Layout, data_mesh, shardings
from adl.core.types import Algorithm, Array, BadInput, Batch, Key, Learner, Metrics, Probe, PyTree, State


def fold_in(key: Key, data: Array | int) -> Key:
    """`jax.random.fold_in` for keys `[...]` of any shape: the same `data` into each."""
    return jnp.vectorize(jax.random.fold_in, excluded={1})(key, data) if key.ndim else jax.random.fold_in(key, data)


def jitted(alg: Algorithm) -> Algorithm:
    """Compiles init and step; the step's state is donated, so the caller's old state is gone."""
    return Algorithm(jax.jit(alg.init), jax.jit(alg.step, donate_argnums=1), alg.axes)


def over_seeds(alg: Algorithm, n: int) -> Algorithm:
    """n independent runs on the same batches as one program: state and metrics gain a leading axis `[S]`.

    Args:
      alg: any algorithm.
      n: number of runs S >= 1.
    """

    def init(key, batch):
        return jax.vmap(alg.init, (0, None))(_keys(key, n), batch)

    def step(key, state, batch):
        return jax.vmap(alg.step, (0, 0, None))(_keys(key, n), state, batch)

    return Algorithm(init, step, _shifted(alg.axes))


def ensemble(alg: Algorithm, n: int) -> Algorithm:
    """n members that are one algorithm: the state gains a leading axis `[M]`, metrics are merged over the members.

    Where `over_seeds` gives n results, this gives one: what looks at its state sees all members at once, and its
    metrics are scalars, so that an ensemble takes every lift itself.

    Args:
      alg: any algorithm; members differ by their keys alone and see the same batches.
      n: number of members M >= 1.
    """
    members = over_seeds(alg, n)

    def step(key, state, batch):
        state, metrics = members.step(key, state, batch)
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return members._replace(step=step)


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


def over_devices(alg: Algorithm, axis: str = "data", devices: Sequence[Any] | None = None) -> Algorithm:
    """Each device steps on its share of the batch (pmap); `alg` must have been built with this `axis`.

    The key is folded with the device's index, metrics are summed over devices. State leaves keep their ordinary,
    global shapes: replicated where `alg.axes` is None, split along the axis it names where it is an integer.

    Args:
      alg: an algorithm whose reductions name `axis` (`descend`, `accumulate` with `axis=axis`).
      axis: name of the mapped axis.
      devices: all by default.
    Raises:
      BadInput: if a batch or a split state axis does not divide by the number of devices.
    """
    mesh = data_mesh(devices, axis)
    size = mesh.size

    def one_device(key, state, batch):
        state, metrics = alg.step(fold_in(key, lax.axis_index(axis)), state, batch)
        return state, lax.psum(metrics, axis)

    step = jax.pmap(
        one_device,
        axis,
        in_axes=(None, alg.axes, 0),
        out_axes=(alg.axes, None),
        devices=list(mesh.devices.flat),
    )

    def split(axes, leaves, what):
        def one(at, leaf):
            if at is None:
                return leaf
            if leaf.shape[at] % size:
                raise BadInput(f"{what} of {leaf.shape[at]} does not divide by {size} devices")
            return leaf.reshape(*leaf.shape[:at], size, -1, *leaf.shape[at + 1 :])

        return _map_axes(one, axes, leaves)

    def merge(axes, leaves):
        def one(at, leaf):
            return leaf if at is None else leaf.reshape(*leaf.shape[:at], -1, *leaf.shape[at + 2 :])

        return _map_axes(one, axes, leaves)

    def lifted(key, state, batch):
        state, metrics = step(key, split(alg.axes, state, "a state axis"), split(0, batch, "a batch"))
        return merge(alg.axes, state), metrics

    return Algorithm(_placed(alg.init, alg.axes, mesh), jax.jit(lifted, donate_argnums=1), alg.axes)


def sharded(alg: Algorithm, mesh: Mesh, *layouts: Layout) -> Algorithm:
    """The global step under `jit`, with the batch split over the mesh's first axis and the state laid out.

    The compiler inserts the communication; the numbers are those of `jitted` up to the order of sums.

    Args:
      alg: an algorithm built with `axis=None`.
      mesh: axes of type `AxisType.Auto`, as from `make_mesh`.
      layouts: refinements in turn, such as `tensor(), fsdp`; without any, the state is whole on every device but
        where `alg.axes` splits it.
    """
    rows = PartitionSpec(mesh.axis_names[0])

    def step(key, state, batch):
        for leaf in jax.tree.leaves(batch):
            _require_divisible(leaf.shape[0], mesh)
        batch = jax.tree.map(lambda x: lax.with_sharding_constraint(x, NamedSharding(mesh, rows)), batch)
        state = _gathered(_laid_out(state, alg.axes, mesh, layouts), shardings(alg.axes, state, mesh, layouts), mesh)
        state, metrics = alg.step(key, state, batch)
        metrics = lax.with_sharding_constraint(metrics, NamedSharding(mesh, PartitionSpec()))
        return _laid_out(state, alg.axes, mesh, layouts), metrics

    return Algorithm(_placed(alg.init, alg.axes, mesh, layouts), jax.jit(step, donate_argnums=1), alg.axes)


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

        state, metrics = lax.scan(body, state, (_keys(key, n), batches), length=n)
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step, alg.axes)


def distributed(batch: Batch, mesh: Mesh, *, at: int = 0) -> Batch:
    """A process's rows of a batch as arrays of the whole, split over the mesh's first axis.

    Args:
      batch: leaves `[B / n, ...]`, the part that `share_of_batch` names; with one process all of it.
      mesh: of the devices of all processes.
      at: axis of the rows; 1 where steps come first.
    Raises:
      BadInput: if the batch does not divide by the devices.
    """
    _, count = share_of_batch(mesh)
    sharding = NamedSharding(mesh, PartitionSpec(*[None] * at, mesh.axis_names[0]))
    for leaf in jax.tree.leaves(batch):
        _require_divisible(count * leaf.shape[at], mesh)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), batch)


def share_of_batch(mesh: Mesh) -> tuple[int, int]:
    """(index, count): a batch is cut into `count` equal parts, of which this process's devices hold that one.

    Processes that differ only along other axes of the mesh hold the same part.
    """
    rows = mesh.devices.reshape(len(mesh.devices), -1)
    mine = [i for i, row in enumerate(rows) if any(device.process_index == jax.process_index() for device in row)]
    return mine[0] // len(mine), len(rows) // len(mine)


class Phases(NamedTuple):
    """State of `alternate`: the step's number, and the state that all phases share."""

    count: Array  # [] steps taken
    state: PyTree


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
        shapes = [jax.eval_shape(s, key, phases.state, batch)[1] for s in steps]
        neutral = {name: tree.zeros(value) for metrics in shapes for name, value in metrics.items()}

        def branch(s):
            def run(key, state, batch):
                state, metrics = s(key, state, batch)
                return state, {**neutral, **metrics}

            return run

        phase = jnp.searchsorted(jnp.asarray(ends), phases.count % int(ends[-1]), side="right")
        state, metrics = lax.switch(phase, [branch(s) for s in steps], key, phases.state, batch)
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

        return lax.scan(body, state, _keys(key, n))

    return draw


# Probes, lifted with their algorithm.


def probe_jitted(probe: Probe, mesh: Mesh | None = None) -> Probe:
    """Compiles a probe; the state stays the caller's.

    Args:
      probe: any; under a mesh, what it maps over a split (`full_pass`) spreads over the devices.
      mesh: of the state's devices, on each of which the results are whole; None where there is one device.
    """
    if mesh is None:
        return jax.jit(probe)
    compiled = jax.jit(probe, out_shardings=NamedSharding(mesh, PartitionSpec()))

    def under_mesh(*arguments):
        with jax.set_mesh(mesh):
            return compiled(*arguments)

    return under_mesh


def probe_over_seeds(probe: Probe) -> Probe:
    """The probe of each of the runs of `over_seeds`: `probe(keys [S], states [S, ...])`."""
    return jax.vmap(probe)


def probe_over_values(make: Callable[[PyTree], Probe], values: PyTree) -> Probe:
    """The probe of each of the runs of `over_values`, all with the same keys."""
    values = jax.tree.map(jnp.asarray, values)
    return lambda key, state: jax.vmap(lambda value, s: make(value)(key, s))(values, state)


@functools.partial(jax.jit, static_argnames="n")
def step_keys(root: Key, start: Array | int, n: int | None = None) -> Key:
    """Key `[...]` of step `start`, or with n keys `[n, ...]` from there on: step t has `fold_in(root, t)`, always."""
    if n is None:
        return fold_in(root, start)
    return jax.vmap(lambda step: fold_in(root, step))(start + jnp.arange(n, dtype=jnp.uint32))


@jax.jit
def stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of equal structure as one, with a leading axis: one transfer to the host instead of one for each leaf."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _keys(key: Key, n: int) -> Key:
    """`[n, ...]` keys: those that came, or one key split."""
    return key if key.ndim else jax.random.split(key, n)


def _shifted(axes: PyTree) -> PyTree:
    """Axes of a state that gained a leading axis."""
    return jax.tree.map(lambda at: at + 1, axes)


def _map_axes(fn: Callable, axes: PyTree, state: PyTree) -> PyTree:
    """`fn(axis or None, leaf)` for each leaf of the state, with `axes` a prefix of it."""
    axes = jax.tree.broadcast(axes, state, is_leaf=lambda x: x is None)
    return jax.tree.map(fn, axes, state, is_leaf=lambda x: x is None)


def _require_divisible(size: int, mesh: Mesh) -> None:
    devices = mesh.shape[mesh.axis_names[0]]
    if size % devices:
        raise BadInput(f"a batch of {size} does not divide by {devices} devices")


def _laid_out(state: PyTree, axes: PyTree, mesh: Mesh, layouts: Sequence[Layout]) -> PyTree:
    return lax.with_sharding_constraint(state, shardings(axes, state, mesh, layouts))


def _gathered(state: PyTree, split: PyTree, mesh: Mesh) -> PyTree:
    """Parameters of each learner whole along the mesh's first axis; what else splits stays as it is.

    Left to itself the compiler may move activations instead: a step of GPT-2, fully sharded over 64 chips, sent seven
    times as much, and over 256 did not fit.
    """

    def gather(leaf, sharding):
        spec = [None if name == mesh.axis_names[0] else name for name in sharding.spec]
        return lax.with_sharding_constraint(leaf, NamedSharding(mesh, PartitionSpec(*spec)))

    def one(node, sharding):
        is_learner = isinstance(node, Learner)
        return node._replace(params=jax.tree.map(gather, node.params, sharding.params)) if is_learner else node

    return jax.tree.map(one, state, split, is_leaf=lambda node: isinstance(node, Learner))


def _placed(init: Callable, axes: PyTree, mesh: Mesh, layouts: Sequence[Layout] = ()) -> Callable:
    """`init`, compiled, with its result where the steps will want it: else the second step compiles again."""
    return jax.jit(lambda key, batch: _laid_out(init(key, batch), axes, mesh, layouts))
