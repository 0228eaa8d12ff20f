"""An experiment, lifted as its configuration says: what the loop calls and the plan compiles."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
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
    fsdp,
    lift,
    make_mesh,
    replicated,
    tensor,
    tree,
)
from adl.run import processes
from adl.run.config import Config, did_you_mean, mesh_axes, swept_values
from adl.run.experiment import Experiment

LAYOUTS = {"replicated": replicated, "fsdp": fsdp}


class Program:
    """One or many runs of an experiment as one lifted algorithm, one lifted probe each, and their keys.

    Runs, where there are several, are the leading axes of state and metrics: `[V]` values of a sweep, `[S]` seeds.
    Run s of seed `seed` is, number for number, the single run of seed `seed + s`.
    """

    def __init__(
        self,
        build: Callable[[Config, str | None], Experiment],
        config: Config,
        devices: Sequence[Any] | None = None,
    ):
        """Builds the experiment for `devices`: those of all processes by default.

        Raises:
          BadInput: where the configuration does not fit the devices, or itself.
        """
        devices = jax.devices() if devices is None else devices
        self.config = config
        self.lift = config.lift if config.lift != "auto" else "shard" if len(devices) > 1 else "jit"
        self.mesh = _mesh(config, self.lift, devices)
        self.experiment = build(config, None)
        self._build = build
        self._values = swept_values(config)
        index, count = (0, 1) if processes.count() == 1 else lift.share_of_batch(self.mesh)
        self.batches = self.experiment.batches
        if count > 1 and isinstance(self.batches, SharedBatches):
            self.batches, count = self.batches.share(index, count), 1
        self._rows = functools.partial(_part, index, count)
        self.segment = _segment(self.batches, config)
        self._view = self.compiled(self.batches.view) if isinstance(self.batches, World) else None
        if config.leave_out:
            _require_parts(config.leave_out, jax.eval_shape(self.algorithm().init, self.keys()[0], self.batch(0)))

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
                alg = lift.over_devices(alg, "data", list(self.mesh.devices.flat))
            case "shard":
                alg = lift.sharded(alg, self.mesh, tensor(), LAYOUTS[config.layout])
        return lift.jitted(lift.repeated(alg, steps) if steps > 1 else alg)

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
        return lift.distributed(batch, self.mesh, at=int(n > 1)) if self.lift == "shard" else batch

    def probe(self, name: str, *, final: bool = False) -> Probe:
        """The named probe over all runs, compiled: its results gain the leading axes `[runs...]`."""

        def at(value) -> Probe:
            experiment = self._build(self._configured(value), None) if value else self.experiment
            probe = (experiment.final if final else experiment.probes)[name]
            return lift.probe_over_seeds(probe) if self.config.num_seeds > 1 else probe

        return self.compiled(at({}) if self._values is None else lift.probe_over_values(at, self._values))

    def compiled(self, probe: Callable) -> Callable:
        """A function of the lifted state, compiled for its devices."""
        return lift.probe_jitted(probe, self.mesh)

    def keys(self) -> tuple[Key, Key, Key]:
        """Root keys, `[S]` or `[]`, of the initial state, the steps and the probes."""
        seed, n = self.config.seed, self.config.num_seeds
        roots = jax.vmap(jax.random.key)(seed + jax.numpy.arange(n)) if n > 1 else jax.random.key(seed)
        return tuple(lift.fold_in(roots, use) for use in range(3))

    def _at(self, value) -> Algorithm:
        axis = "data" if self.lift == "pmap" else None
        return self._build(self._configured(value), axis).algorithm

    def _configured(self, value) -> Config:
        return dataclasses.replace(self.config, sweep=(), **value)


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


def _segment(batches: Batches, config: Config) -> int:
    """Steps from one checkpoint to the next, at least: 1, but of a world, of which there is one for all runs."""
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


def _mesh(config: Config, lifted: str, devices: Sequence[Any]) -> Any:
    """Mesh of the program's devices; None for one device."""
    if lifted != "shard" and processes.count() > 1:
        raise BadInput(f"--lift {lifted}: {processes.count()} processes run together under --lift shard only")
    if lifted != "shard" and config.mesh:
        raise BadInput(f"--mesh {config.mesh}: only --lift shard has a mesh; it would be --lift {lifted}")
    if lifted == "jit":
        return None
    try:
        return make_mesh(mesh_axes(config), devices)
    except BadInput as error:
        raise BadInput(f"--mesh {config.mesh}: {error}") from None
