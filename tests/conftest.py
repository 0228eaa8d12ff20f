"""Eight virtual devices for every test, a persistent compilation cache, and nothing written outside the checkout."""

import gc
import os
from pathlib import Path

import pytest

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "adl"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XDG_CACHE_HOME"] = str(_CACHE)
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE / "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
os.environ.setdefault("TFDS_DATA_DIR", str(_CACHE / "tfds"))

import jax  # noqa: E402 - it reads these when it starts

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

_MAPS = Path("/proc/self/maps")
_MOST_MAPS = 8_000  # of 65,530 that Linux allows a process; every compiled kernel takes three

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def room_for_code():
    """Drops what JAX has compiled before Linux refuses to map more, which would end the process."""
    yield
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()
