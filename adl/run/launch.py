"""From the command line to a run: what every `python -m experiments.NAME` does."""

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import jax

from adl.core import BadInput
from adl.run import machine, processes, record, screen, sweep
from adl.run.config import Study, default_workdir, differences
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
    definition = Definition.of(module)
    try:
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
        _leave(f"error: {error}", 2)
    except RunFailed as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if isinstance(error.__cause__, OSError):
            os._exit(1)  # the writers' exit hooks would try again what has failed, each with a page of its own
        sys.exit(1)
    except Interrupted as stop:
        _leave(str(stop), stop.exit_code)


def _start(definition: Definition, config: Study) -> None:
    """One run, or the runs of a sweep that is more than one program, each in a folder within the sweep's."""
    parts = sweep.apart(config)
    if len(parts) > 1 and processes.count() > 1:
        raise BadInput(
            f"--sweep {' '.join(config.sweep)}: several processes run one program; start one value at a time"
        )
    # Before the folder: bad input must leave no trace.
    programs = [ready(definition, part) for _, part in parts]
    folder = Path(config.workdir) if config.workdir else default_workdir(config, definition.name)
    if len(parts) == 1 and not parts[0][0]:
        _run(programs[0], folder, definition.name)
        return
    if (folder / "metrics.jsonl").exists():
        raise BadInput(f"--workdir {folder}: it holds a run; choose another for the runs of --sweep")
    table: dict[str, dict[str, Any]] = {}
    for (point, _), program in zip(parts, programs, strict=True):
        name = sweep.spelled(point)
        screen.say(f"--sweep {name}")
        outcome = _run(program, folder / name.replace("/", "_").replace(", ", ","), definition.name)
        for index, setting in enumerate(outcome.settings or [""]):
            last = {
                k: v[index] if outcome.settings else v for row in outcome.history for k, v in row.items() if k != "step"
            }
            table[", ".join(filter(None, [name, setting]))] = last
    metrics = sorted(set().union(*table.values()))
    columns = {metric: [last.get(metric, math.nan) for last in table.values()] for metric in metrics}
    for line in screen.row(f"step {config.num_steps}", columns, list(table)):
        screen.say(line)


def _run(program: Program, folder: Path, name: str) -> Outcome:
    """A run in its folder, with the other processes."""
    with contextlib.ExitStack() as stack:
        processes.from_first("folder", lambda: stack.enter_context(open_folder(folder, program.config, name)).name)
        if not (folder / "config.json").exists():
            who = f"process {processes.index()} of {processes.count()}"
            raise BadInput(f"--workdir {folder}: {who} does not see it; all processes need one shared folder")
        processes.barrier("start")
        outcome = fit(program, folder, name)
        processes.barrier("end")  # the first still draws figures, and the others must not count as lost
    return outcome


def open_folder(folder: Path, config: Study, name: str) -> TextIO:
    """The folder of this very run, locked, with `config.json` and `environment.json`.

    Raises:
      BadInput: if it cannot be written, is in use, or holds something else.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "config.json").exists() and any(path.name != "lock" for path in folder.iterdir()):
                raise BadInput(f"--workdir {folder}: it holds files but no run; choose an empty or a new folder")
            held = stack.enter_context(record.lock(folder))
            _require_same(folder, config, name)
            written = {"experiment": name, **dataclasses.asdict(config)}
            _replace(folder / "config.json", json.dumps(written, indent=1) + "\n")
            _replace(folder / "environment.json", json.dumps(record.environment(), indent=1) + "\n")
        except OSError as error:
            reason = error.strerror or error
            raise BadInput(f"--workdir {folder}: {reason}; choose a folder that can be written") from None
        stack.pop_all()
    return held


def _require_same(folder: Path, config: Study, name: str) -> None:
    """Refuses a folder whose rows are those of another experiment or configuration."""
    if not (folder / "metrics.jsonl").exists():
        return
    saved = json.loads((folder / "config.json").read_text())
    if saved.pop("experiment") != name:
        raise BadInput(f"--workdir {folder}: it holds a run of another experiment; choose another --workdir")
    if changed := differences(config, saved):
        raise BadInput(
            f"--workdir {folder}: it holds a run with another configuration ({'; '.join(changed)}); "
            "repeat that one or choose another --workdir"
        )


def _replace(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def _leave(message: str, code: int) -> None:
    print(message, file=sys.stderr, flush=True)
    sys.exit(code)
