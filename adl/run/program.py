"""An experiment, lifted as its configuration says: what the loop calls and the plan compiles."""

import copy
import dataclasses
import functools
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from adl.core import (
    Algorithm,
    BadInput,
    Batches,
    Key,
    Probe,
    PyTree,
    SharedBatches,
    World,
    did_you_mean,
    fold_in,
    fsdp,
    layout,
    lift,
    make_mesh,
    place,
    probe,
    replicated,
    sources,
    tensor,
    tree,
)
from adl.run import processes
from adl.run.config import Study, mesh_axes
from adl.run.experiment import Definition, Experiment
from adl.run.offer import Choice, Maps
from adl.run.sweep import swept_values

LAYOUTS = {"replicated": replicated, "fsdp": fsdp}
EARLY = {
    *("batch_size", "dataset", "precision", "train_split", "test_split", "columns", "test_share", "target"),
    *("picture_size", "picture_fit", "picture_colour"),
}  # read, if ever, before the first step
NOTHING = Algorithm(lambda key, batch: (), lambda key, state, batch: (state, {}))  # what a study moves


class Program:
    """One or many runs of an experiment as one lifted algorithm, one lifted probe each, and their keys.

    Runs, where there are several, are the leading axes of state and metrics: `[V]` values of a sweep, `[S]` seeds.
    Run s of seed `seed` is, number for number, the single run of seed `seed + s`.
    """

    def __init__(self, definition: Definition, config: Study, devices: Sequence[Any] | None = None):
        """Loads and builds the experiment for `devices`: those of all processes by default.

        Raises:
          BadInput: where the configuration does not fit the devices, or itself.
        """
        devices = jax.devices() if devices is None else devices
        self.config = config
        self.lift = config.lift if config.lift != "auto" else "shard" if len(devices) > 1 else "jit"
        self.mesh = _mesh(config, self.lift, devices)
        self.definition, self._values = definition, swept_values(config)
        self.num_devices = 1 if self.mesh is None else self.mesh.devices.size
        self.num_shares = 1 if self.mesh is None else len(self.mesh.devices)  # of a batch
        self._read: set[str] = set()  # fields of the configuration that anything built of it has asked for
        self._given: list[weakref.ref] = []  # configurations that something was built of
        with sources.noting() as self.sources:  # the data sets that it has read
            self.loaded = definition.load(self._plain(self._values or ()))
        self.experiment = self._built({}, None)
        index, count = (0, 1) if processes.count() == 1 else place.share_of_batch(self.mesh)
        self.batches = self.experiment.batches
        if count > 1 and isinstance(self.batches, SharedBatches):
            self.batches, count = self.batches.share(index, count), 1
        self._rows = functools.partial(_part, index, count)
        self.segment = _segment(self.batches, config)
        self._view = self.compiled(self.batches.view) if isinstance(self.batches, World) else None
        self.source: Any = None  # of weights to begin with, once it is read
        if config.leave_out:
            _require_parts(config.leave_out, jax.eval_shape(self.algorithm().init, self.keys()[0], self.batch(0)))

    @property
    def num_axes(self) -> int:
        """Leading axes of the state: of a sweep's values, of seeds."""
        return (self.config.num_seeds > 1) + (self._values is not None)

    @functools.cache  # noqa: B019 - a program lives as long as the process
    def algorithm(self, steps: int = 1) -> Algorithm:
        """The algorithm under all of the configuration's lifts, compiled.

        Args:
          steps: steps a call; more than 1 wants a leading axis `[steps]` on keys and batches.
        """
        config = self.config

        def one(value) -> Algorithm:
            alg = self._at(value)
            return lift.over_seeds(alg, config.num_seeds) if config.num_seeds > 1 else alg

        alg = one({}) if self._values is None else lift.over_values(one, self._values)
        match self.lift:
            case "pmap":
                alg = place.over_devices(alg, "data", list(self.mesh.devices.flat))
            case "shard":
                alg = place.sharded(alg, self.mesh, *self._layouts)
        return place.jitted(lift.repeated(alg, steps) if steps > 1 else alg)

    def batch(self, step: int, n: int = 1, state: PyTree = None) -> PyTree:
        """What the n steps from `step` on see: of several, with a leading axis `[n]`; where the devices want it.

        Args:
          step: the first, >= 0.
          n: number of steps; 1 of a world.
          state: before the step, of which a world's actor has its view; None: before there is any.
        """
        if self._view is not None and state is not None:
            batches = [self.batches.after(step, self._view(state))]
        else:
            batches = [self.batches[step + i] for i in range(n)]
        batches = [jax.tree.map(self._rows, batch) for batch in batches]
        batch = batches[0] if n == 1 else jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
        return place.distributed(batch, self.mesh, at=int(n > 1)) if self.lift == "shard" else batch

    def described(self, init_key: Key, batch: PyTree, n: int, *, is_here: bool) -> tuple[PyTree, PyTree]:
        """Shapes of the first state and of a batch of n steps, where they will lie: the run calls what they trace.

        Args:
          init_key: as of `keys`, or its shape.
          batch: of one step, or its shapes.
          n: number of steps.
          is_here: whether the devices are; on those that are only described nothing lies anywhere.
        """
        init, _, axes = self.algorithm()
        splits, lead = is_here and self.lift == "shard", (n,) if n > 1 else ()

        def rows(shape: tuple[int, ...]) -> PyTree:
            where = place.rows(self.mesh, at=len(shape)) if splits else None
            return jax.tree.map(lambda x: jax.ShapeDtypeStruct(shape + x.shape, x.dtype, sharding=where), batch)

        state = init.eval_shape(init_key, rows(()))
        if is_here and self.mesh is not None:
            where = layout.shardings(axes, state, self.mesh, self._layouts)
            state = jax.tree.map(lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), state, where)
        return state, rows(lead)

    @functools.cache  # noqa: B019 - as above
    def probe(self, name: str, *, final: bool) -> Probe:
        """The named probe, final or not, over all runs, compiled: its results gain the leading axes `[runs...]`."""

        def at(value) -> Probe:
            experiment = self._built(value, None) if value else self.experiment
            one = (experiment.final if final else experiment.probes)[name]
            return probe.over_seeds(one) if self.config.num_seeds > 1 else one

        return self.compiled(at({}) if self._values is None else probe.over_values(at, self._values))

    def offered(self, name: str) -> Callable:
        """The named function `(key, state, *inputs)` of a trained state, not compiled: of all runs, with one key."""

        def call(key: Key, state: PyTree, *inputs: Any, **more: Any) -> PyTree:
            def at(value):
                offer = (self._built(value, None) if value else self.experiment).offers[name]

                def one(key, state):
                    found = offer.fn(key, state, *inputs, **more)
                    is_class = isinstance(offer.gives, Choice) or (isinstance(offer.gives, Maps) and offer.gives.names)
                    return jax.nn.softmax(found) if is_class else found

                return jax.vmap(one, (None, 0)) if self.config.num_seeds > 1 else one

            return (at({}) if self._values is None else probe.over_values(at, self._values))(key, state)

        return call

    def alone(self, seed: int, **value: Any) -> "Program":
        """The same experiment, of what is loaded already, as one of its runs: that of a seed and of swept values."""
        one = copy.copy(self)
        one.config = dataclasses.replace(self.config, seed=seed, num_seeds=1, sweep=(), **value)
        one._values = None
        one.experiment = one._built({}, None)
        return one

    def compiled(self, fn: Callable) -> Callable:
        """A function of the lifted state, compiled for its devices."""
        return probe.jitted(fn, self.mesh)

    def keys(self) -> tuple[Key, Key, Key]:
        """Root keys, `[S]` or `[]`, of the initial state, the steps and the probes."""
        seed, n = self.config.seed, self.config.num_seeds
        roots = jax.vmap(jax.random.key)(seed + jax.numpy.arange(n)) if n > 1 else jax.random.key(seed)
        return tuple(fold_in(roots, use) for use in range(3))

    @property
    def _layouts(self) -> tuple[layout.Layout, ...]:
        return (tensor(), LAYOUTS[self.config.layout]) if self.lift == "shard" else ()

    def _at(self, value) -> Algorithm:
        return self._built(value, "data" if self.lift == "pmap" else None).algorithm or NOTHING

    def _built(self, value: Mapping[str, Any], axis: str | None) -> Experiment:
        """With values of a sweep in place of the configuration's; of what was loaded once."""
        return self.definition.build(self._plain((), **value), self.loaded, axis)

    def _plain(self, swept: Iterable[str], **value: Any) -> Study:
        plain = _plain(self.config, swept, self._read, **value)
        self._given.append(weakref.ref(plain))
        return plain

    def unread(self) -> set[str]:
        """Fields that nothing which was built of the configuration has asked for, and nothing can any more.

        Those of `EARLY` also if it still could: by the first step it has.
        """
        fields = {field.name for field in dataclasses.fields(self.config)} - self._read
        return fields & EARLY if any(given() is not None for given in self._given) else fields

    def with_fields(self, **value: Any) -> Batches:
        """The batches of the same experiment with other values of some fields."""
        return self._built(value, None).batches


def _plain(config: Study, swept: Iterable[str], read: set[str], **value: Any) -> Study:
    """The configuration without its sweep, which notes what is read of it.

    Args:
      config: of the run.
      swept: fields that must not be read: what is loaded serves all values.
      read: gains the names of the fields that are read.
      **value: of fields, in place of the configuration's.
    """
    names = frozenset(swept)

    class Plain(type(config)):
        def __getattribute__(self, name):
            if name in names:
                raise BadInput(f"--sweep {name}: it decides what is loaded, once for all; run its values one by one")
            read.add(name)
            return super().__getattribute__(name)

    plain = dataclasses.replace(config, sweep=(), **value)
    object.__setattr__(plain, "__class__", Plain)
    return plain


def _require_parts(names: Sequence[str], state: PyTree) -> None:
    """Refuses what no part of the state is called."""
    parts = sorted({part for path, _ in jax.tree.leaves_with_path(state) for part in tree.name(path).split("/")})
    for name in names:
        if name not in parts:
            raise BadInput(f"--leave_out {name}: the state has no such part{did_you_mean(name, parts)}")


def _part(index: int, count: int, leaf: np.ndarray) -> np.ndarray:
    """The index-th of `count` equal parts of a batch's rows."""
    if count == 1:
        return leaf
    if len(leaf) % count:
        raise BadInput(f"a batch of {len(leaf)} does not divide among {count} processes")
    return leaf[index * len(leaf) // count : (index + 1) * len(leaf) // count]


def _segment(batches: Batches, config: Study) -> int:
    """Steps from one checkpoint to the next, at least: 1, but of a world, of which there is one for all runs."""
    if config.steps_per_call > 1 and not getattr(batches, "is_alike", True):
        raise BadInput(f"--steps_per_call {config.steps_per_call}: it must be 1, for batches differ in shape")
    if not isinstance(batches, World):
        return 1
    if config.num_seeds > 1 or config.sweep:
        raise BadInput("--num_seeds, --sweep: a world outside the program serves one run; start a process for each")
    if config.steps_per_call > 1:
        raise BadInput(f"--steps_per_call {config.steps_per_call}: a world outside the program is asked each step, 1")
    if config.num_steps % batches.segment:
        raise BadInput(
            f"--num_steps {config.num_steps}: it must be a multiple of {batches.segment}, after which the world "
            "begins anew"
        )
    return batches.segment


def _mesh(config: Study, lifted: str, devices: Sequence[Any]) -> Any:
    """Mesh of the program's devices; None for one device."""
    if lifted != "shard" and processes.count() > 1:
        raise BadInput(f"--lift {lifted}: {processes.count()} processes run together under --lift shard only")
    if lifted != "shard" and config.mesh:
        raise BadInput(f"--mesh {config.mesh}: only --lift shard has a mesh; it would be --lift {lifted}")
    if lifted == "jit":
        if config.layout != "replicated":
            raise BadInput(f"--layout {config.layout}: only --lift shard has a layout; it would be --lift jit here")
        return None
    try:
        return make_mesh(mesh_axes(config), devices)
    except BadInput as error:
        raise BadInput(f"--mesh {config.mesh}: {error}") from None
