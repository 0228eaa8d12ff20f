"""From the command line to a run: what every `python -m experiments.NAME` does."""

import contextlib
import dataclasses
import math
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from adl.core import BadInput
from adl.run import folder as files
from adl.run import machine, processes, record, screen, start, sweep
from adl.run.config import Study
from adl.run.experiment import Definition, Outcome
from adl.run.fit import RunFailed, fit
from adl.run.flags import parse
from adl.run.preflight import ready
from adl.run.program import Program
from adl.run.signals import Interrupted


def main(module: str, argv: Sequence[str] | None = None) -> None:
    """Runs, resumes or plans an experiment as the command line says; ends the process on errors.

    Exit codes: 0 done, 1 the run failed, 2 bad input, 75 stopped by SIGTERM after a checkpoint, for a launcher to start
    again, 130 stopped by Ctrl-C.

    Args:
      module: `__name__` of the module that defines the experiment (`Definition`).
      argv: the command line's words; those of the process by default.
    """
    if getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False):
        return  # who imports an experiment wants what it defines, also where no `if __name__ == "__main__"` stands
    try:
        definition = Definition.of(module)
        words = sys.argv[1:] if argv is None else argv
        config = parse(definition.config, words, prog=definition.command, description=definition.text)
        machine.prepare()
        if config.plan:
            from adl.run.plan import plan, show

            jax.config.update("jax_platforms", "cpu")  # devices are only described: this machine's are not wanted
            show(plan(definition, config, config.plan))
            return
        processes.connect()
        if processes.count() > 1 and jax.default_backend() == "cpu":
            # Programs that several processes on CPU load from the cache were seen to wait for ever (jaxlib 0.12).
            jax.config.update("jax_enable_compilation_cache", False)
        screen.console.quiet = processes.index() > 0
        _start(definition, config)
    except BadInput as error:
        processes.leave(f"error: {error}", 2)
    except RunFailed as error:
        if isinstance(error.__cause__, OSError) and processes.count() == 1:
            print(f"error: {error}", file=sys.stderr, flush=True)
            os._exit(1)  # the writers' exit hooks would try again what has failed, each with a page of its own
        processes.leave(f"error: {error}", 1)
    except Interrupted as stop:
        if stop.alone:
            processes.leave(str(stop), stop.exit_code)
        print(stop, file=sys.stderr, flush=True)
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        processes.leave("stopped before the first step; the same command begins again", 130)
    except Exception as error:
        if processes.count() == 1:
            raise
        traceback.print_exc()
        processes.leave(f"error: {type(error).__name__}: {str(error).partition(chr(10))[0]}", 1)


def _start(definition: Definition, config: Study) -> None:
    """One run, or the runs of a sweep that is more than one program, each in a folder within the sweep's."""
    parts = sweep.apart(config)
    if len(parts) > 1 and processes.count() > 1:
        raise BadInput(
            f"--sweep {' '.join(config.sweep)}: several processes run one program; start one value at a time"
        )
    folder = files.chosen(config, definition.name)
    processes.agree("configuration", {"experiment": definition.name, **dataclasses.asdict(config), **record.versions()})
    # Before the folder: bad input must leave no trace.
    programs = [ready(definition, part) for _, part in parts]
    places = [_place(folder, point) for point, _ in parts]
    for program, place in zip(programs, places, strict=True):
        start.foreseen(program, place)
    processes.agree("input", _input(programs))
    if len(parts) == 1 and not parts[0][0]:
        _run(programs[0], folder, definition.name)
        return
    if (folder / "metrics.jsonl").exists():
        raise BadInput(f"--workdir {folder}: it holds a run; choose another for the runs of --sweep")
    table: dict[str, dict[str, Any]] = {}
    for (point, _), program, place in zip(parts, programs, places, strict=True):
        name = sweep.spelled(point)
        screen.say(f"--sweep {name}")
        outcome = _run(program, place, definition.name)
        for index, setting in enumerate(outcome.settings or [""]):
            last = {
                k: v[index] if outcome.settings else v for row in outcome.history for k, v in row.items() if k != "step"
            }
            table[", ".join(filter(None, [name, setting]))] = last
    metrics = sorted(set().union(*table.values()))
    columns = {metric: [last.get(metric, math.nan) for last in table.values()] for metric in metrics}
    screen.say(*screen.row(f"step {config.num_steps}", columns, list(table)))


def _input(programs: Sequence[Program]) -> dict[str, str]:
    """What is read, by digests: the data sets, and the weights to begin with where no checkpoint has them."""
    found = {name: digest for program in programs for name, digest in files.data_digests(program.sources).items()}
    source = programs[0].source
    began = {"--init_from": source.digest if source else "not read"} if programs[0].config.init_from else {}
    return {**found, **began}


def _place(folder: Path, point: Mapping[str, Any]) -> Path:
    """The folder of one of the runs of a sweep; of a single run the sweep's."""
    return folder / sweep.spelled(point).replace("/", "_").replace(", ", ",") if point else folder


def _run(program: Program, folder: Path, name: str) -> Outcome:
    """A run in its folder, with the other processes."""
    with contextlib.ExitStack() as stack:
        read = program.sources
        files.share(folder, lambda: stack.enter_context(files.open_folder(folder, program.config, name, read)))
        screen.say(*(remark for one in read for remark in one.remarks))
        outcome = fit(program, folder, name)
        processes.barrier("end")  # the first still draws figures, and the others must not count as lost
    return outcome
