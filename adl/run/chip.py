"""Hardware to plan for: what a chip can do, and the devices of a slice that is only described."""

import importlib.util
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from adl.core import BadInput, did_you_mean, probe
from adl.run.machine import processor


class Chip(NamedTuple):
    """Speeds and sizes of one device."""

    name: str
    memory: float  # bytes
    flops: float  # bfloat16 FLOP/s
    bandwidth: float  # memory bytes/s
    link: float  # interconnect bytes/s that leave the chip, over all its links
    axes: int = 0  # dimensions of the interconnect
    pod: int = 0  # chips of the largest slice


# Source: Cloud TPU documentation, cloud.google.com/tpu/docs/{v4,v5e,v5p,v6e}; links are half of the bidirectional rate.
CHIPS = {
    "v4": Chip("TPU v4", 32 * 2**30, 275e12, 1200e9, 300e9, 3, 4096),
    "v5e": Chip("TPU v5e", 16 * 2**30, 197e12, 819e9, 200e9, 2, 256),
    "v5p": Chip("TPU v5p", 95 * 2**30, 459e12, 2765e9, 600e9, 3, 8960),
    "v6e": Chip("TPU v6e", 32 * 2**30, 918e12, 1600e9, 400e9, 2, 256),
}


def tpu(topology: str) -> tuple[Chip, Sequence[Any]]:
    """Chip and described devices of a TPU slice."""
    name, _, shape = topology.partition(":")
    example = "one is v5e:4x4, v6e:2x4, v4:2x2x1, v5p:4x4x4, cpu"
    if name not in CHIPS:
        raise BadInput(f"--plan {topology}: no such topology; {example}{did_you_mean(name, [*CHIPS, 'cpu'])}")
    chip = CHIPS[name]
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)" f"{{{chip.axes - 1}}}", shape):
        raise BadInput(f"--plan {topology}: the shape of a {name} slice has {chip.axes} numbers; {example}")
    sides = [int(side) for side in shape.split("x")]
    if math.prod(sides) > chip.pod:
        raise BadInput(f"--plan {topology}: that is {math.prod(sides):,} chips; a {name} pod has {chip.pod:,}")
    if importlib.util.find_spec("libtpu") is None:
        raise BadInput(f"--plan {topology}: compiling for a TPU needs libtpu; pip install -e '.[tpu]'")
    # Without these libtpu asks a metadata server which machine it is on, and complains that none answers.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-16")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault(
        "ALLOW_MULTIPLE_LIBTPU_LOAD", "1"
    )  # chips are described, not taken: two plans may run at once
    from jax.experimental import topologies

    host = [min(side, 2) for side in sides[:2]] + [1]
    megacore = {"chip_config_name": "megacore"} if name == "v4" else {}  # both cores of a chip as one device
    try:
        described = topologies.get_topology_desc(topology, "tpu", chips_per_host_bounds=host, **megacore)
    except (jax.errors.JaxRuntimeError, RuntimeError) as error:
        raise BadInput(f"--plan {topology}: {str(error).splitlines()[0]}; {example}") from None
    return chip, described.devices


def cpu(lifted: str) -> tuple[Chip, Sequence[Any]]:
    """Chip and devices of the machine itself, its measured speeds shared: all devices, or one under `--lift jit`."""
    devices = jax.devices("cpu")
    devices = devices[:1] if lifted == "jit" else devices
    with jax.default_device(devices[0]):
        a, x = np.ones((1024, 1024), np.float32), np.ones(2**24, np.float32)
        flops = 2 * 1024**3 / _seconds(lambda a: a @ a, a)
        bandwidth = 2 * x.nbytes / _seconds(lambda x: x + 1, x)
    ram, n = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), len(devices)
    return Chip(processor(), ram / n, flops / n, bandwidth / n, bandwidth / n), devices


def _seconds(fn: Callable, argument: np.ndarray) -> float:
    """Time of a compiled call, the best of five."""
    compiled, argument, best = probe.jitted(fn), jax.device_put(argument), math.inf
    for _ in range(6):
        started = time.perf_counter()
        jax.block_until_ready(compiled(argument))
        best = min(best, time.perf_counter() - started)
    return best
