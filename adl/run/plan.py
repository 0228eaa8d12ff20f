"""What a step would cost on hardware that is not here: compiled for a described topology, read off the program.

The compiler of the TPU runs on any machine (`libtpu`): memory, work and collectives are those of the very program
that the slice would run. The step time is a roofline: the longest of computing, moving memory and communicating,
each at the full speed of the chip, as if they overlapped perfectly. Memory traffic is XLA's count, which takes every
operand of every fused operation for a transfer, also those that stay on the chip.
"""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.stages import Lowered
from rich.console import Console
from rich.table import Table

from adl.core import PyTree, step_keys
from adl.run.chip import Chip, cpu, tpu
from adl.run.collective import Collective, collectives
from adl.run.config import Config
from adl.run.experiment import Definition
from adl.run.preflight import ready
from adl.run.program import Program
from adl.run.record import byte_size


class Memory(NamedTuple):
    """Bytes on one device during the step."""

    arguments: int  # state, key and batch
    outputs: int  # beyond those that take an argument's place
    temporaries: int
    code: int

    @property
    def total(self) -> int:
        """Bytes that must fit."""
        return sum(self)


class Plan(NamedTuple):
    """Cost of one step on each device."""

    topology: str
    lift: str
    num_devices: int
    batch_size: int | None  # examples a step, over all devices; None of an algorithm that brings its own
    chip: Chip
    memory: Memory | None  # None if the compiler ran out of it
    flops: float
    bytes_accessed: float
    collectives: tuple[Collective, ...]
    compile_seconds: float
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the step's memory is within the device's."""
        return self.memory is not None and self.memory.total <= self.chip.memory

    @property
    def times(self) -> dict[str, float]:
        """Seconds that each resource is busy at full speed."""
        sent = sum(collective.sent for collective in self.collectives)
        return {
            "compute": self.flops / self.chip.flops,
            "memory": self.bytes_accessed / self.chip.bandwidth,
            "communication": sent / self.chip.link,
        }

    @property
    def step_time(self) -> float:
        """Roofline of a step, in seconds."""
        return max(self.times.values())


def plan(definition: Definition, config: Config, topology: str) -> Plan:
    """Compiles an experiment's step for a topology, and reads its cost.

    Args:
      definition: of the experiment.
      config: its configuration; `--lift jit` takes one device of the topology, `auto` all.
      topology: of libtpu, as `v5e:4x4`, or `cpu`: the processors of this machine.
    Raises:
      BadInput: if there is no such topology, libtpu is missing, or the batch does not divide by the devices.
    """
    steps = config.steps_per_call
    chip, devices = cpu(config.lift) if topology == "cpu" else tpu(topology)
    devices = devices[:1] if config.lift == "jit" else devices
    # Compiled for a mesh, also of one: a plain jit would take a device of this machine.
    program = ready(definition, dataclasses.replace(config, lift="pmap" if config.lift == "pmap" else "shard"), devices)
    started = time.perf_counter()
    notes = []
    try:
        with _uncached(), ThreadPoolExecutor() as pool:  # a compiler of one thread has work for two cores
            compiled, *many = pool.map(Lowered.compile, [_lowered(program, n) for n in sorted({1, steps})])
            memory = _memory(many[0] if many else compiled)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        compiled, memory = None, None
        notes.append(str(error).splitlines()[0].removeprefix("RESOURCE_EXHAUSTED: "))
    text = compiled.as_text() if compiled else ""
    cost = compiled.cost_analysis() if compiled else {}
    if " while(" in text:
        notes.append("the step has loops, whose insides are counted once: work and time may be too low")
    return Plan(
        topology=topology,
        lift="jit" if len(devices) == 1 else program.lift,
        num_devices=len(devices),
        batch_size=next((len(leaf) for leaf in jax.tree.leaves(program.experiment.batches[0])), None),
        chip=chip,
        memory=memory,
        flops=cost.get("flops", 0.0),
        bytes_accessed=cost.get("bytes accessed", 0.0),
        collectives=collectives(text, num_devices=len(devices)),
        compile_seconds=time.perf_counter() - started,
        notes=tuple(notes),
    )


def show(planned: Plan) -> None:
    """Prints a plan as a table."""
    chip, memory = planned.chip, planned.memory
    title = f"{planned.topology}: {planned.num_devices} x {chip.name}, --lift {planned.lift}"
    table = Table("a step, on each device", "", "of the device", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    if memory:
        for name, size in zip(("state, key and batch", "outputs", "temporaries", "code"), memory, strict=True):
            table.add_row(name, byte_size(size), "")
        share = f"{byte_size(chip.memory)}, {memory.total / chip.memory:.1%}"
        table.add_row("memory", byte_size(memory.total), share, style="bold", end_section=True)
        table.add_row("compute", f"{planned.flops / 1e9:,.4g} GFLOP", f"{chip.flops / 1e12:,.4g} TFLOP/s")
        table.add_row("memory traffic", byte_size(planned.bytes_accessed), f"{chip.bandwidth / 1e9:,.4g} GB/s")
        for kind, count, payload, _ in planned.collectives:
            table.add_row(f"{count} x {kind}", byte_size(payload), f"{chip.link / 1e9:,.4g} GB/s")
        table.add_section()
        for name, seconds in planned.times.items():
            table.add_row(f"{name} time", f"{1e3 * seconds:.3g} ms", f"{seconds / planned.step_time:.0%}")
        table.add_row("step time, roofline", f"{1e3 * planned.step_time:.3g} ms", _rate(planned), style="bold")
    console = Console()
    console.print(table)
    console.print("it fits" if planned.fits else "it does not fit", style="bold green" if planned.fits else "bold red")
    console.print(f"compiled in {planned.compile_seconds:.1f} s", highlight=False)
    for note in planned.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def overview(planned: Mapping[str, Plan | str], topology: str) -> Table:
    """A line for each step that was planned for a topology, or that says why it was not.

    Args:
      planned: plan of each experiment, or what stood against it.
      topology: that all were planned for.
    """
    table = Table(
        "experiment", "examples a step", "memory a device", "compute", "memory traffic", "sent", title=topology
    )
    for name in ("step time", "bound by", "compiled in"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, cost in planned.items():
        if isinstance(cost, str):
            table.add_row(name, cost, style="bold red")
            continue
        memory = byte_size(cost.memory.total) if cost.memory else "too much"
        table.add_row(
            name,
            "" if cost.batch_size is None else f"{cost.batch_size:,}",
            memory if cost.fits else f"{memory}: does not fit",
            f"{cost.flops / 1e9:,.4g} GFLOP",
            byte_size(cost.bytes_accessed),
            byte_size(sum(collective.sent for collective in cost.collectives)),
            f"{1e3 * cost.step_time:.3g} ms",
            max(cost.times, key=cost.times.get),
            f"{cost.compile_seconds:.1f} s",
            style=None if cost.fits else "bold red",
        )
    return table


def _lowered(program: Program, steps: int) -> Lowered:
    """The program's step, for the shapes of its first batch."""
    alg = program.algorithm(steps)
    init_key, step_root, _ = program.keys()
    batch = jax.tree.map(np.asarray, program.experiment.batches[0])
    keys = step_keys(step_root, 0, n=steps)
    if steps > 1:
        batch = jax.tree.map(lambda x: np.broadcast_to(x, (steps, *x.shape)), batch)
    state = jax.eval_shape(alg.init, init_key, batch)
    return alg.step.lower(*_shapes((keys if steps > 1 else keys[0], state, batch)))


@contextlib.contextmanager
def _uncached() -> Iterator[None]:
    """Keeps programs out of the persistent compilation cache: one for absent hardware cannot be read back."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, math.inf)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def _memory(compiled: Any) -> Memory:
    stats = compiled.memory_analysis()
    return Memory(
        arguments=stats.argument_size_in_bytes,
        outputs=stats.output_size_in_bytes - stats.alias_size_in_bytes,
        temporaries=stats.temp_size_in_bytes,
        code=stats.generated_code_size_in_bytes,
    )


def _rate(planned: Plan) -> str:
    """Examples a second; nothing where there are none."""
    if planned.batch_size is None:
        return ""
    rate = planned.batch_size / planned.step_time
    return f"{rate:,.0f} examples/s" if rate >= 100 else f"{rate:.3g} examples/s"
