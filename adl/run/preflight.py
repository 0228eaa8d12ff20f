"""Before anything is written: the whole program is traced, so that what cannot be is refused by the flag it comes from.

Nothing is computed: shapes, names and sizes are known once init, step and probes have been traced, and their traces are
those that the run compiles.
"""

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from adl.core import BadInput, Mean, PyTree, did_you_mean, step_keys
from adl.run import machine, processes, ranges
from adl.run.config import FREE, Study
from adl.run.experiment import Definition
from adl.run.program import Program
from adl.run.record import byte_size

# Raised where Python wants the number behind a traced value.
TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
# Flags from which no error of the program comes, and those that the runner itself reads.
IDLE = {"seed", "log_every", "eval_every", "checkpoint_every", "best", "workdir", "plan", "figure_format", "sweep"}
RUNNERS = {*FREE, "seed", "num_seeds", "sweep", "leave_out", "init_from", "init_prefix"}
LARGE = 8  # from this part of the memory on, a program is compiled to see what it takes
A_FEW = 2**16  # examples of a batch that are made without asking how large they are


def ready(definition: Definition, config: Study, devices: Sequence[Any] | None = None) -> Program:
    """The program of an experiment, once it is known that it can be run.

    Args:
      definition: of the experiment.
      config: its configuration.
      devices: that are only described, on which nothing can be placed; None: those that there are.
    Raises:
      BadInput: naming the flags that it comes from, where it cannot; other errors as they are where no flag is given.
    """
    tried = functools.partial(_tried, definition, devices)
    try:
        with warnings.catch_warnings(record=True) as heard:
            program = tried(config)
        for warning in heard:  # of a program that will run
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return program
    except TRACED as error:
        if not config.sweep:
            raise
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"--sweep: a swept field decides the program's shape; run its values one by one ({reason})"
        ) from None
    except BadInput as error:
        if str(error).startswith("--"):
            raise
        raise BadInput(_blaming(tried, config, str(error))) from None
    except Exception as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        told = _blaming(tried, config, f"the program cannot be made: {reason[:300]}")
        if not told.startswith("--"):
            raise  # nobody asked for anything: a fault of the program, with all that Python says of it
        raise BadInput(told) from error


def _tried(definition: Definition, devices: Sequence[Any] | None, config: Study) -> Program:
    program = Program(definition, config, devices)
    measured = _traced(program, is_here=devices is None)
    if devices is not None:
        return program
    _require_read(program)
    if config.best and config.best != type(config).best and config.best.partition(":")[0] not in measured:
        name = config.best.partition(":")[0]
        raise BadInput(
            f"--best {config.best}: nothing measures it; there are {', '.join(measured)}{did_you_mean(name, measured)}"
        )
    return program


def _traced(program: Program, *, is_here: bool) -> list[str]:
    """Names of what steps and probes measure, once all that will run has been traced, and has room."""
    config, experiment = program.config, program.experiment
    init_key, root, _ = jax.eval_shape(program.keys)
    n = max(1, min(config.steps_per_call, config.num_steps))
    room = _room(program) if is_here else math.inf
    _require_room(_batch_bytes(program) * n, machine.memory(), "the batches of a call")
    batch = program.batch(0) if processes.count() > 1 else jax.tree.map(np.asarray, program.batches[0])
    _require_divided(program, len(next(iter(jax.tree.leaves(batch)), ())))
    state, many = program.described(init_key, batch, n, is_here=is_here)
    held = _num_bytes(state) + _num_bytes(many)
    _require_room(held, room, "state and batches")
    found: list[str] = []
    if config.num_steps:
        keys = jax.eval_shape(lambda root: step_keys(root, 0, n if n > 1 else None), root)
        stepped = program.algorithm(n).step.trace(keys, state, many)
        _require_runs(stepped, held, room, "a step")
        found += [f"train/{key}" for key in stepped.out_info[1]]
    key = jax.eval_shape(lambda root: step_keys(root, 0), root)
    for final, probes in ((False, experiment.probes), (True, experiment.final)):
        for name in probes if is_here else ():
            looked = program.probe(name, final=final).trace(key, state)
            results = looked.out_info
            _require_runs(looked, _num_bytes(state) + _num_bytes(results), room, f"to look at {name}")
            if not final:
                found += [f"{name}/{key}" for key, value in results.items() if isinstance(value, Mean)]
    return found


def _blaming(tried: Callable[[Study], Program], config: Study, reason: str) -> str:
    """The reason after the flags that it comes from: those without any of which there is no error."""
    default = type(config)()
    given = [
        field.name
        for field in dataclasses.fields(config)
        if field.name not in IDLE and getattr(config, field.name) != getattr(default, field.name)
    ]
    guilty = [name for name in given if _works_without([name], tried, config)]
    if not guilty and _works_without(given, tried, config):
        guilty = given
    flags = [f"--{name} {ranges.short(getattr(config, name))}" for name in guilty]
    return f"{' '.join(flags)}: {reason}" if flags else reason


def _works_without(names: Sequence[str], tried: Callable[[Study], Program], config: Study) -> bool:
    try:
        tried(dataclasses.replace(config, **{name: getattr(type(config)(), name) for name in names}))
    except Exception:  # of whatever kind: it is looked for which flag an error comes from
        return False
    return True


def _require_divided(program: Program, batch: int) -> None:
    """Refuses numbers of things, and of examples of a batch, that do not split evenly over the devices."""
    devices, config = program.num_shares, program.config
    sizes = {name: getattr(config, name) for name in ranges.shared(type(config)) if name != "batch_size"}
    for name, size in {**sizes, "batch_size": batch}.items():
        if size % devices:
            wanted = f"a multiple of {devices}, the devices that share it; or --lift jit"
            raise BadInput(f"--{name} {size}: it must be {wanted}")


def _require_read(program: Program) -> None:
    """Refuses a flag that changes nothing."""
    config, default = program.config, type(program.config)()
    for name in sorted(program.unread()):
        value = getattr(config, name)
        if name not in RUNNERS and value != getattr(default, name):
            raise BadInput(
                f"--{name} {ranges.short(value)}: nothing depends on it here; leave it out (--help says what it is)"
            )


def _batch_bytes(program: Program) -> int:
    """Size of a batch, of a large one by the size of a smaller one: it is not made."""
    size, usual = (getattr(config, "batch_size", 0) for config in (program.config, type(program.config)()))
    if size <= A_FEW or not usual:
        return 0
    return _num_bytes(program.with_fields(batch_size=usual)[0]) * size // usual


def _num_bytes(tree: PyTree) -> int:
    return sum(math.prod(leaf.shape) * getattr(leaf.dtype, "itemsize", 8) for leaf in jax.tree.leaves(tree))


def _require_runs(traced: Any, held: int, room: float, what: str) -> None:
    """Refuses what takes too much memory: as its arrays say, or where these are large, its compiler."""
    _require_room(held, room, what)
    if max(held, _largest(traced.jaxpr)) > room / LARGE:
        stats = traced.lower().compile().memory_analysis()
        _require_room(stats.argument_size_in_bytes + stats.temp_size_in_bytes, room, what)


def _largest(jaxpr: Any) -> int:
    """Bytes of the largest value that a program names; one that is fused with its use may never be there."""
    sizes = [_num_bytes([v.aval for v in eqn.outvars if hasattr(v.aval, "shape")]) for eqn in jaxpr.eqns]
    values = [value for eqn in jaxpr.eqns for value in jax.tree.leaves(list(eqn.params.values()))]
    inner = [_largest(value.jaxpr) for value in values if hasattr(value, "jaxpr") and hasattr(value.jaxpr, "eqns")]
    return max([*sizes, *inner, 0])


def _room(program: Program) -> float:
    """Bytes for what the program holds: of all its devices where they share it, else of one; on CPU the machine's."""
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return limit * program.num_devices if limit else machine.memory()


def _require_room(wanted: float, room: float, what: str) -> None:
    if wanted > room:
        raise BadInput(f"{what} would take {byte_size(wanted)}, and there are {byte_size(room)} here")
