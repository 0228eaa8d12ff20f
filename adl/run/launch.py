"""From the command line to a run: what every `python -m experiments.NAME` does."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import jax

from adl.core import BadInput
from adl.run import machine, processes, record
from adl.run.config import Study, default_workdir, differences, parse
from adl.run.experiment import Definition
from adl.run.fit import RunFailed, fit
from adl.run.program import Program
from adl.run.signals import Interrupted

# Raised where Python wants the number behind a traced value.
TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


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
        record.console.quiet = processes.index() > 0
        program = Program(definition, config)  # before the folder: bad input must leave no trace
        folder = Path(config.workdir) if config.workdir else default_workdir(config, definition.name)
        with contextlib.ExitStack() as stack:
            processes.from_first(
                "folder", lambda: stack.enter_context(open_folder(folder, config, definition.name)).name
            )
            if not (folder / "config.json").exists():
                who = f"process {processes.index()} of {processes.count()}"
                raise BadInput(f"--workdir {folder}: {who} does not see it; all processes need one shared folder")
            processes.barrier("start")
            fit(program, folder, definition.name)
            processes.barrier("end")  # the first still draws figures, and the others must not count as lost
    except TRACED as error:
        if not config.sweep:
            raise
        reason = str(error).splitlines()[0]
        _leave(f"error: --sweep: a swept field decides the program's shape; run its values one by one ({reason})", 2)
    except BadInput as error:
        _leave(f"error: {error}", 2)
    except RunFailed as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if isinstance(error.__cause__, OSError):
            os._exit(1)  # the writers' exit hooks would try again what has failed, each with a page of its own
        sys.exit(1)
    except Interrupted as stop:
        _leave(str(stop), stop.exit_code)


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
