"""Configuration: a frozen dataclass from the command line, the same fields in every experiment."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """What every experiment has; an experiment's own fields come on top and override these defaults."""

    seed: int = 0  # >= 0; of parameters and noise; the order of the data does not depend on it
    num_steps: int = 1000  # >= 1, length of the run
    batch_size: int = 128  # >= 1, examples a step, over all devices
    steps_per_call: int = 1  # >= 1, steps a dispatch (scan)
    log_every: int = 50  # >= 1, steps a row of training metrics
    eval_every: int = 500  # >= 1, steps between probes
    checkpoint_every: int = 500  # >= 1, steps between checkpoints
    lift: Literal["jit", "pmap", "shard"] = "jit"  # where steps run
    layout: Literal["replicated", "fsdp"] = "replicated"  # of the state under --lift shard
    num_seeds: int = 1  # >= 1, runs with seeds seed, seed + 1, ... in one program
    sweep: tuple[str, ...] = ()  # name=value,value,...: all these values in one program
    workdir: str = ""  # output folder; empty: runs/<experiment>, with a digest of what differs from the defaults
    data_dir: str = ""  # of TFDS; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets
    dataset: str = ""  # TFDS name
    precision: Literal["float32", "bfloat16"] = "float32"  # of the computation; parameters stay float32
    plan: str = ""  # compile for this topology (v5e:4x4, cpu) and print what it would cost, instead of running
