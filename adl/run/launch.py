"""From the command line to a run: what every `python -m experiments.NAME` does."""

import contextlib
import dataclasses
import os
import sys
import traceback
from collections.abc import Sequence

import jax

from adl.core import BadInput
from adl.run import folder as files
from adl.run import machine, processes, record
from adl.run.config import parse
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
        folder = files.chosen(config, definition.name)
        agreed = {"experiment": definition.name, **dataclasses.asdict(config), **record.versions()}
        processes.agree("configuration", agreed)
        program = Program(definition, config)  # before the folder: bad input must leave no trace
        with contextlib.ExitStack() as stack:
            files.share(folder, lambda: stack.enter_context(files.open_folder(folder, config, definition.name)))
            fit(program, folder, definition.name)
            processes.barrier("end")  # the first still draws figures, and the others must not count as lost
    except TRACED as error:
        if not config.sweep:
            raise
        reason = str(error).splitlines()[0]
        processes.leave(
            f"error: --sweep: a swept field decides the program's shape; run its values one by one ({reason})", 2
        )
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
