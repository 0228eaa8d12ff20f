"""An experiment, lifted as its configuration says: what the loop calls and the plan compiles."""

import dataclasses
import functools
from collections.abc import Callable

import jax
from jax.sharding import Mesh

from adl.core import Algorithm, Key, Probe, data_mesh, fsdp, lift, replicated
from adl.run.config import Config, swept_values
from adl.run.experiment import Experiment


class Program:
    """One or many runs of an experiment as one lifted algorithm, one lifted probe each, and their keys.

    Runs, where there are several, are the leading axes of state and metrics: `[V]` values of a sweep, `[S]` seeds.
    Run s of seed `seed` is, number for number, the single run of seed `seed + s`.
    """

    def __init__(self, build: Callable[[Config, str | None], Experiment], config: Config):
        self.config = config
        self.experiment = build(config, None)
        self._build = build
        self._values = swept_values(config)

    @functools.cache  # noqa: B019 - a program lives as long as the process
    def algorithm(self, steps: int = 1, mesh: Mesh | None = None) -> Algorithm:
        """The algorithm under all of the configuration's lifts, compiled.

        Args:
          steps: steps a call; more than 1 wants a leading axis `[steps]` on keys and batches.
          mesh: devices to run on; all by default.
        """
        config = self.config

        def one(value) -> Algorithm:
            alg = self._at(value)
            return lift.over_seeds(alg, config.num_seeds) if config.num_seeds > 1 else alg

        alg = one({}) if self._values is None else lift.over_values(one, self._values)
        match config.lift:
            case "pmap":
                alg = lift.over_devices(alg, "data", None if mesh is None else list(mesh.devices.flat))
            case "shard":
                alg = lift.sharded(alg, mesh or data_mesh(), {"replicated": replicated, "fsdp": fsdp}[config.layout])
        return lift.jitted(lift.repeated(alg, steps) if steps > 1 else alg)

    def probe(self, name: str, *, final: bool = False) -> Probe:
        """The named probe over all runs, compiled: its results gain the leading axes `[runs...]`."""

        def at(value) -> Probe:
            experiment = self._build(self._configured(value), None) if value else self.experiment
            probe = (experiment.final if final else experiment.probes)[name]
            return lift.probe_over_seeds(probe) if self.config.num_seeds > 1 else probe

        probe = at({}) if self._values is None else lift.probe_over_values(at, self._values)
        return lift.probe_jitted(probe)

    def keys(self) -> tuple[Key, Key, Key]:
        """Root keys, `[S]` or `[]`, of the initial state, the steps and the probes."""
        seed, n = self.config.seed, self.config.num_seeds
        roots = jax.vmap(jax.random.key)(seed + jax.numpy.arange(n)) if n > 1 else jax.random.key(seed)
        return tuple(lift.fold_in(roots, use) for use in range(3))

    def _at(self, value) -> Algorithm:
        axis = "data" if self.config.lift == "pmap" else None
        return self._build(self._configured(value), axis).algorithm

    def _configured(self, value) -> Config:
        return dataclasses.replace(self.config, sweep=(), **value)
