"""What more devices bring: measured on the virtual devices of this machine, planned for slices that are not here.

    python -m experiments.scaling measured
    python -m experiments.scaling planned --topologies v5e:2x2 v5e:4x4 v5e:8x8 v5e:16x16

`measured` steps a small GPT on 1, 2, 4 and 8 virtual devices that share this machine's cores, the global batch the
same: what is lost there is the price of splitting, not of any network. `planned` compiles a step of GPT-2 (124M
parameters, 1,024 tokens a text, bfloat16, AdamW) by the TPU's own compiler, with as many texts a chip on every slice
(weak scaling). Its efficiency is busy / (busy + communication), where busy is the longer of computing and moving
memory at full speed: communication that overlaps with neither costs less than that.
"""

import dataclasses
import math
import os
import re
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Annotated

import jax
import numpy as np
import optax
import tyro
from rich.console import Console
from rich.table import Table

from adl import run
from adl.core import BadInput, layout
from adl.nn.transformer import GPT
from adl.run.collective import collectives
from adl.run.machine import prepare
from adl.run.plan import plan
from adl.run.program import Program
from adl.run.record import byte_size
from adl.sequence.language import language_model

MESHES = {1: [""], 2: ["data=2", "data=1,model=2"], 4: ["data=4", "data=2,model=2"], 8: ["data=8", "data=4,model=2"]}


@dataclass(frozen=True)
class Config(run.Config):
    """A language model's step, on texts that nobody wrote."""

    batch_size: run.Count = 16  # texts
    length: run.Count = 128  # tokens a text
    vocab_size: run.Count = 256
    num_layers: run.Count = 4
    num_heads: run.Count = 4
    width: run.Count = 128


GPT2 = Config(length=1024, vocab_size=50304, num_layers=12, num_heads=12, width=768, precision="bfloat16")


@dataclass(frozen=True)
class Measured:
    """Steps a second on virtual devices, and what they tell each other."""

    rounds: Annotated[int, tyro.conf.arg(metavar="INT >= 1")] = 5  # times each is timed, in turn
    num_steps: int = 5  # steps timed together


@dataclass(frozen=True)
class Planned:
    """GPT-2 on slices of chips."""

    topologies: tuple[str, ...] = ("v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:16x16")
    per_chip: int = 4  # texts a chip


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A language model on one batch, again and again."""
    model = GPT(
        cfg.vocab_size, cfg.length, cfg.num_layers, cfg.num_heads, cfg.width, dtype=jax.numpy.dtype(cfg.precision)
    )
    token = np.random.default_rng(0).integers(0, cfg.vocab_size, (cfg.batch_size, cfg.length + 1), np.int32)
    algorithm = language_model(model, optax.adamw(3e-4, weight_decay=0.1), axis=axis)
    return run.Experiment(algorithm, Always({"token": token}))


DEFINITION = run.Definition(build, Config)


class Always(list):
    """The same batch at every step."""

    def __init__(self, batch):
        super().__init__([batch])

    def __getitem__(self, step: int):
        return super().__getitem__(0)


def measured(rounds: int, num_steps: int) -> Table:
    """Every mesh in turn, in each round; medians."""
    runs = {(mesh, laid): _stepper(mesh, n, laid) for n, mesh, laid in _arrangements()}
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (step, *_) in runs.items():
            started = time.perf_counter()
            for _ in range(num_steps):
                step()
            seconds[name].append((time.perf_counter() - started) / num_steps)
    first = np.array(next(iter(seconds.values())))
    table = Table("mesh", "layout", "steps/s", "against one", "state a device", "sent a step, by each device")
    for (mesh, laid), (_, held, sent) in runs.items():
        took = np.array(seconds[mesh, laid])
        row = [f"{1 / statistics.median(took):.2f}", f"{statistics.median(first / took):.2f}"]
        table.add_row(mesh or "one device", laid, *row, byte_size(held), sent)
    return table


def _arrangements():
    for n, meshes in MESHES.items():
        for mesh in meshes:
            for laid in ("replicated", "fsdp") if n > 1 else ("replicated",):
                yield n, mesh, laid


def _stepper(mesh: str, num_devices: int, laid: str):
    """`step()`, which waits, bytes of state on a device, and the collectives of a step."""
    config = Config(mesh=mesh, layout=laid, lift="shard" if mesh else "jit")
    program = Program(DEFINITION, config, jax.devices()[:num_devices])
    algorithm, (init_key, step_root, _) = program.algorithm(), program.keys()
    state = [algorithm.init(init_key, program.batch(0))]
    text = algorithm.step.lower(step_root, state[0], program.batch(0)).compile().as_text()
    found = collectives(text, num_devices=num_devices)
    sent = ", ".join(f"{c.count} {c.kind} {byte_size(c.sent)}" for c in found) or "nothing"

    def step():
        state[0], metrics = algorithm.step(step_root, state[0], program.batch(0))
        jax.block_until_ready(metrics)

    step()
    return step, layout.bytes_per_device(state[0]), sent


def planned(topologies: tuple[str, ...], per_chip: int) -> Table:
    """A step of GPT-2 on each slice, replicated and fully sharded."""
    columns = ("slice", "layout", "memory a chip", "compute", "memory traffic", "sent by each", "communication")
    table = Table(*columns, "tokens/s, nothing overlapping", "efficiency")
    jax.config.update("jax_platforms", "cpu")
    for topology in topologies:
        chips = math.prod(int(side) for side in re.findall(r"\d+", topology.partition(":")[2])) or 1
        for laid in ("replicated", "fsdp"):
            print(f"compiling {topology}, {laid}", file=sys.stderr, flush=True)
            config = dataclasses.replace(GPT2, batch_size=per_chip * chips, layout=laid, lift="shard")
            cost = plan(DEFINITION, config, topology)
            if not cost.memory:
                table.add_row(topology, laid, "does not fit", style="bold red")
                continue
            busy, sending = max(cost.times["compute"], cost.times["memory"]), cost.times["communication"]
            table.add_row(
                f"{topology} ({chips})",
                laid,
                f"{byte_size(cost.memory.total)}{'' if cost.fits else ': does not fit'}",
                f"{1e3 * cost.times['compute']:.3g} ms",
                f"{1e3 * cost.times['memory']:.3g} ms",
                byte_size(sum(collective.sent for collective in cost.collectives)),
                f"{1e3 * sending:.3g} ms",
                f"{config.batch_size * config.length / (busy + sending):,.0f}",
                f"{busy / (busy + sending):.1%}",
            )
    return table


def main() -> None:
    """The command line; exit code 2 for bad input."""
    chosen = tyro.cli(
        Measured | Planned, prog="python -m experiments.scaling", description=__doc__, use_underscores=True
    )
    if isinstance(chosen, Measured):  # before JAX starts
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
        os.environ["JAX_PLATFORMS"] = "cpu"
    prepare()
    try:
        table = measured(**dataclasses.asdict(chosen)) if isinstance(chosen, Measured) else planned(**vars(chosen))
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    console = Console()
    (console if console.is_terminal else Console(width=180)).print(table)


if __name__ == "__main__":
    main()
