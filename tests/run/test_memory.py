"""What a step frees the next one gets again, without fresh pages from the system."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
{first}
import jax
import jax.numpy as jnp

step, x, faults = jax.jit(lambda x: x + 1), jnp.ones(2**24), []
for _ in range(60):
    jax.block_until_ready(step(x))
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(sum(b - a > 100 for a, b in zip(faults[-21:], faults[-20:])))
"""


def faults(first):
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_large_results_cause_no_page_faults():
    """Of the last 20 of 60 results of 64 MiB; mapped anew, each causes 16,384, or fewer where pages are large."""
    assert faults("from adl.run.machine import prepare; prepare()") <= 2
    assert faults("") >= 18
