"""From the command line to a run: what every `python -m experiments.NAME` does."""

import contextlib
import ctypes
import dataclasses
import json
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import jax

from adl.core import BadInput
from adl.run import processes, record
from adl.run.config import Study, default_workdir, differences, parse
from adl.run.experiment import Definition
from adl.run.fit import Interrupted, RunFailed, fit
from adl.run.program import Program

# Of glibc's mallopt: M_ARENA_MAX, without which threads' heaps map whatever is large; M_MMAP_THRESHOLD, which is the
# size from which memory is mapped anew; M_TRIM_THRESHOLD, free memory from which the heap is given back.
MALLOC = {-8: 1, -3: 2**29, -1: 2**31 - 1}
# Kernel gradients of convolutions run up to 2.5 times faster on CPU with it (jaxlib 0.10).
CPU_FLAG = "--xla_cpu_experimental_ynn_fusion_type=reduce"
# Of virtual devices, which share one pool of threads: collectives that may run at once can starve, and then wait for
# ever; and fusions by the YNN library, run on several at once, end the process (jaxlib 0.10).
VIRTUAL_FLAGS = [
    "--xla_cpu_enable_concurrency_optimized_scheduler=false",
    "--xla_cpu_experimental_ynn_fusion_type=",
]
# Factorisations of many matrices wait in a thread of that pool for others of it: with one a device all wait for ever.
POOL = {"NPROC": "32", "PJRT_NPROC": "32"}

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
        prepare()
        if config.plan:
            from adl.run.plan import plan, show

            jax.config.update("jax_platforms", "cpu")  # devices are only described: this machine's are not wanted
            show(plan(definition, config, config.plan))
            return
        processes.connect()
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


def prepare() -> None:
    """Settings that must be made before JAX starts: memory, flags for the CPU, and the persistent compilation cache."""
    _keep_memory()
    flags = os.environ.get("XLA_FLAGS", "")
    has_virtual = "xla_force_host_platform_device_count" in flags
    wanted = VIRTUAL_FLAGS if has_virtual else [] if flags else [CPU_FLAG]
    if has_virtual:
        os.environ.update({name: os.environ.get(name, size) for name, size in POOL.items()})
    names = {flag: flag.partition("=")[0].lstrip("-") for flag in wanted}
    added = [flag for flag, name in names.items() if name not in flags and jaxlib_knows(name)]
    if added:
        os.environ["XLA_FLAGS"] = " ".join(filter(None, [flags, *added]))
    if not jax.config.jax_compilation_cache_dir:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adl" / "xla"
        jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _keep_memory() -> None:
    """Has the C library of Linux keep what is freed, up to 512 MiB at a time, in one heap for all threads.

    XLA on CPU asks for its temporaries anew in each step, and the library would map fresh pages for them: 90,000 page
    faults, and 1.4 times the time, in a step of a transformer of 10M parameters.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # glibc, not musl
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)


def jaxlib_knows(flag: str) -> bool:
    """Whether this jaxlib has the flag: XLA ends the process on one that it does not know, so ask its text."""
    import jaxlib

    library = Path(jaxlib.__file__).parent / "libjax_common.so"
    if not library.exists():
        return False
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(flag.encode()) >= 0


def _replace(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def _leave(message: str, code: int) -> None:
    print(message, file=sys.stderr, flush=True)
    sys.exit(code)
