"""Eight virtual devices for every test, a persistent compilation cache, nothing written outside the checkout, and at
the end what each file and law took."""

import gc
import itertools
import os
import threading
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "adl"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XDG_CACHE_HOME"] = str(_CACHE)
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE / "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
os.environ.setdefault("TFDS_DATA_DIR", str(_CACHE / "tfds"))

import jax  # noqa: E402 - it reads these when it starts
from jax._src.interpreters import mlir  # noqa: E402

from adl.run.machine import POOL, VIRTUAL_FLAGS, known  # noqa: E402

_FLAGS = [
    "--xla_force_host_platform_device_count=8",
    *VIRTUAL_FLAGS,
    # The suite compiles far more than it runs: without LLVM's optimisation, by the older emitters, in one piece.
    "--xla_backend_optimization_level=0",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
]
os.environ.update(POOL)
os.environ["XLA_FLAGS"] = " ".join(known(_FLAGS))

_TABLES = {"tests/laws.py", "tests/test_experiments.py"}  # of laws and what obeys them
_SPENT = pytest.StashKey[float]()
_MAPS = Path("/proc/self/maps")
_MOST_MAPS = 8_000  # of 65,530 that Linux allows a process; every compiled kernel takes three
_COUNTED_EVERY = 16  # tests, of which none compiles a thousand kernels: counting takes milliseconds

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_traceback_in_locations_limit", 0)  # where an operation comes from takes time in every pass
gc.set_threshold(
    100_000, 20, 100
)  # tracing makes objects by the million, few of which are garbage: a fifth of its time


if not hasattr(mlir, "_thread_local_context"):
    # JAX 0.10 makes a context for each program that it lowers, which takes 3 ms; from 0.12 on ten share one, as here.
    _context, _programs = mlir.make_ir_context, threading.local()

    def _shared_context():
        if getattr(_programs, "left", 0) == 0:
            _programs.context, _programs.left = _context(), 10
        _programs.left -= 1
        return _programs.context

    mlir.make_ir_context = _shared_context

_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def room_for_code():
    """Drops what JAX has compiled before Linux refuses to map more, which would end the process."""
    yield
    if next(_tests) % _COUNTED_EVERY == 0 and _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()


def pytest_configure(config):
    """Under `-n`, neighbours in one process: they share compiled programs and what a module's fixtures made."""
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "worksteal"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Notes the processor time since the report before: of this process, its threads and the children that ended."""
    report, spent = (yield), sum(os.times()[:4])
    report.processor = spent - item.config.stash.get(_SPENT, spent)
    item.config.stash[_SPENT] = spent
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    case = parameters.get("case", parameters.get("name"))
    report.case = case if isinstance(case, str) else item.name  # a report travels between processes
    return report


def pytest_terminal_summary(terminalreporter):
    """What each file took, and of the tables of laws each law and each case, dearest first."""
    took = {"file": defaultdict(float), "law": defaultdict(float), "case": defaultdict(float)}
    for report in itertools.chain(*terminalreporter.stats.values()):
        if hasattr(report, "processor"):  # a worker that crashed has none
            file, spent = report.nodeid.partition("::")[0], np.array([report.duration, report.processor])
            took["file"][file] += spent
            if file in _TABLES:
                took["law"][report.nodeid.partition("[")[0]] += spent
                took["case"][report.case] += spent
    for what, table in took.items():
        dearest = sorted(table.items(), key=lambda entry: -entry[1][0])[:40]
        lines = [f"{wall:9.1f} {processor:11.1f}  {name}" for name, (wall, processor) in dearest if wall >= 1]
        if lines:
            terminalreporter.section(f"seconds and processor seconds by {what}")
            terminalreporter.write_line("\n".join(lines))
