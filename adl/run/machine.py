"""What is set and asked of the machine before JAX starts: memory, XLA's flags, the compilation cache, the processor."""

import contextlib
import ctypes
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import jaxlib

# Of glibc's mallopt: M_ARENA_MAX, without which threads' heaps map whatever is large; M_MMAP_THRESHOLD, which is the
# size from which memory is mapped anew; M_TRIM_THRESHOLD, free memory from which the heap is given back.
MALLOC = {-8: 1, -3: 2**29, -1: 2**31 - 1}
# Kernel gradients of convolutions run up to 2.5 times faster on CPU with it (jaxlib 0.10).
CPU_FLAG = "--xla_cpu_experimental_ynn_fusion_type=reduce"
# Of virtual devices, which share one pool of threads: collectives that may run at once can starve, and then wait for
# ever; fusions by the YNN library, run on several at once, end the process (jaxlib 0.10); and on a busy machine the
# last of eight may well come 40 seconds after the first, which by default ends the process, too.
VIRTUAL_FLAGS = [
    "--xla_cpu_enable_concurrency_optimized_scheduler=false",
    "--xla_cpu_experimental_ynn_fusion_type=",
    "--xla_cpu_collective_call_terminate_timeout_seconds=600",
]
# Factorisations of many matrices wait in a thread of that pool for others of it: with one a device all wait for ever.
POOL = {"NPROC": "32", "PJRT_NPROC": "32"}
# The smallest program that starts XLA; its first word says that all before XLA went well.
TRIAL = "import jax; print('ready', flush=True); jax.jit(lambda x: x + 1)(1.0).block_until_ready()"
TRIAL_SECONDS = 60
FROM_OUTSIDE = (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)


def prepare() -> None:
    """Settings that must be made before JAX starts: memory, flags for the CPU, and the persistent compilation cache."""
    _keep_memory()
    flags = os.environ.get("XLA_FLAGS", "")
    has_virtual = "xla_force_host_platform_device_count" in flags
    wanted = VIRTUAL_FLAGS if has_virtual else [] if flags else [CPU_FLAG]
    if has_virtual:
        os.environ.update({name: os.environ.get(name, size) for name, size in POOL.items()})
    if added := known([flag for flag in wanted if flag.partition("=")[0].lstrip("-") not in flags]):
        os.environ["XLA_FLAGS"] = " ".join(filter(None, [flags, *added]))
    if not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(_cache() / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def known(flags: Sequence[str]) -> list[str]:
    """Those of `flags` (`--name=value`) that this jaxlib takes; XLA ends the process on any other.

    A flag's name can outlive the flag in the library's text, so each is tried in a process of its own, all together
    first: once for each jaxlib, whose answers are kept in the cache. What got no answer (no process, no time, killed
    from outside) counts as not known, and is tried again by whoever asks next.
    """
    kept = _cache() / "flags" / f"{_library()}.json"
    answers = _read(kept)
    if new := [flag for flag in dict.fromkeys(flags) if flag not in answers]:
        found = dict.fromkeys(new, True) if _trial(new) else {flag: _trial([flag]) for flag in new}
        answers |= {flag: answer for flag, answer in found.items() if answer is not None}
        _keep(kept, answers)
    return [flag for flag in flags if answers.get(flag, False)]


def memory() -> int:
    """Bytes of memory that this process may have: the machine's, or fewer where its group is limited (Linux)."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is "max"
            limits.append(int(Path(path).read_text()))
    return min(limits)


def processor() -> str:
    """Model name of the processor, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _keep_memory() -> None:
    """Has the C library of Linux keep what is freed, up to 512 MiB at a time, in one heap for all threads.

    XLA on CPU asks for its temporaries anew in each step, and the library would map fresh pages for them: 90,000 page
    faults, and 1.4 times the time, in a step of a transformer of 10M parameters.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # glibc, not musl
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)


def _trial(flags: Sequence[str]) -> bool | None:
    """Whether XLA computes on the CPU under `flags`; None if the process was never its to end."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(flags)}
    try:
        trial = subprocess.run(
            [sys.executable, "-c", TRIAL], env=environment, capture_output=True, text=True, timeout=TRIAL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if trial.returncode == 0:
        return True
    return False if "ready" in trial.stdout and -trial.returncode not in FROM_OUTSIDE else None


def _library() -> str:
    """Version, size and time of the library that XLA is in, as a file's name: another one has other flags."""
    folder = Path(jaxlib.__file__).parent
    stat = max((path.stat() for path in folder.glob("*.so")), key=lambda stat: stat.st_size, default=folder.stat())
    return f"jaxlib-{jaxlib.__version__}-{stat.st_size}-{stat.st_mtime_ns}"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adl"


def _read(path: Path) -> dict[str, bool]:
    """Answers that were kept, none where there is no file of them."""
    try:
        answers = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    kept = answers.items() if isinstance(answers, dict) else ()
    return {flag: answer for flag, answer in kept if isinstance(answer, bool)}


def _keep(path: Path, answers: dict[str, bool]) -> None:
    """Writes the answers whole or not at all: of processes that do so at once the last one's stay."""
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a trial at each start
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            new = Path(aside) / path.name
            new.write_text(json.dumps(answers, indent=1) + "\n")
            os.replace(new, path)
