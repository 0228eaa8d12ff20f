"""Configuration: a frozen dataclass from the command line, the same fields in every experiment."""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import math
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import tyro

from adl.core import BadInput, did_you_mean


class Range(NamedTuple):
    """Closed interval of the values that a field may take; an open end excludes its bound."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low, high = "(" if self.open_low else "[", ")" if self.open_high else "]"
        if self.high == math.inf:
            return f"{'>' if self.open_low else '>='} {self.low:g}"
        return f"in {low}{self.low:g}, {self.high:g}{high}"


def _number(kind: type, wanted: Range) -> Any:
    """The type of a number within a range; the range is checked, and shown in the help."""
    return Annotated[kind, wanted, tyro.conf.arg(metavar=f"{kind.__name__.upper()} {wanted}")]


Count = _number(int, Range(low=1))
Natural = _number(int, Range(low=0))
Positive = _number(float, Range(low=0, open_low=True))
NonNegative = _number(float, Range(low=0))
Fraction = _number(float, Range(low=0, high=1))
Rate = _number(float, Range(low=0, high=1, open_high=True))  # a decay, a dropout: 1 would never move, or drop all


@dataclass(frozen=True)
class Study:
    """What an experiment without steps has; its own fields come on top and override these defaults."""

    seed: Natural = 0  # of parameters and noise; the order of the data does not depend on it
    lift: Literal["auto", "jit", "pmap", "shard"] = (
        "auto"  # where steps run: one device (jit), all by pmap, all by one sharded program; auto: shard if several
    )
    mesh: str = ""  # devices of --lift shard, such as data=4,model=2: model splits layers; empty: all split the batch
    num_seeds: Count = 1  # runs with seeds seed, seed + 1, ... in one program
    sweep: tuple[str, ...] = ()  # name=value,value,...: all these values (of several: all combinations) in one program
    workdir: str = ""  # output folder; empty: runs/<experiment>, with a digest of what differs from the defaults
    data_dir: str = ""  # of TFDS; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets
    dataset: str = ""  # TFDS name
    precision: Literal["float32", "bfloat16"] = "float32"  # of the computation; parameters stay float32

    # Not fields: the loop of a study ends where it begins.
    num_steps, steps_per_call, log_every, eval_every, checkpoint_every = 0, 1, 1, 1, 1
    leave_out, best, layout, plan = (), "test/loss", "replicated", ""
    # Nor is this: whether nothing that is computed reads `num_steps`, so that a longer run goes on from a shorter.
    any_length = False


@dataclass(frozen=True)
class Config(Study):
    """What every experiment with steps has; an experiment's own fields come on top and override these defaults."""

    num_steps: Count = 1000  # length of the run
    batch_size: Count = 128  # examples a step, over all devices
    steps_per_call: Count = 1  # steps a dispatch (scan)
    log_every: Count = 100  # steps between rows of training metrics
    eval_every: Count = 500  # steps between probes
    checkpoint_every: Count = 500  # steps between checkpoints, of which the newest three stay
    leave_out: tuple[str, ...] = ()  # parts of the state, such as replay, too large for checkpoints: anew on resuming
    best: str = "test/loss"  # metric whose lowest value's checkpoint stays too; test/accuracy:max: the highest
    layout: Literal["replicated", "fsdp"] = "replicated"  # of the state under --lift shard, over the mesh's data
    plan: str = ""  # compile for this topology (v5e:4x4, cpu) and print what it would cost, instead of running


@dataclass(frozen=True)
class Optimised:
    """Fields of an experiment that descends by Adam: `class Config(run.Optimised, run.Config)`."""

    learning_rate: Positive = 1e-3  # of Adam, the highest
    weight_decay: NonNegative = 0.0  # of AdamW, times the learning rate

    @property
    def adam(self) -> dict[str, float]:
        """The fields, as `core.optimizer.adam` takes them."""
        return {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}


@dataclass(frozen=True)
class Averaged(Optimised):
    """The same, where a moving average of the parameters is what is looked at."""

    ema: Rate = 0.999  # decay of the parameters' average

    @property
    def adam(self) -> dict[str, float]:
        """The fields, as `core.optimizer.adam` takes them."""
        return {**super().adam, "average": self.ema}


@dataclass(frozen=True)
class Views:
    """Fields of an experiment that learns from random affine views of pictures, as in `data.views.random_affine`."""

    degrees: NonNegative = 15.0  # largest rotation of a view, either way
    scale: NonNegative = 0.15  # largest log magnification of a view along each axis, either way
    shift: NonNegative = 1.0  # largest shift of a view along each axis, in pixels, either way
    shear: NonNegative = 0.2  # largest shear of a view, either way

    @property
    def view(self) -> dict[str, float]:
        """The fields, as `data.views.random_affine` takes them."""
        return {"degrees": self.degrees, "scale": self.scale, "shift": self.shift, "shear": self.shear}


@dataclass(frozen=True)
class Parts:
    """Fields of an experiment that learns from one split of its data set, and is tested on another."""

    train_split: str = "train"  # to learn from, in TFDS's words: "train[:80%]"
    test_split: str = "test"  # to test, in TFDS's words

    @property
    def parts(self) -> tuple[str, str]:
        """Both."""
        return self.train_split, self.test_split


@dataclass(frozen=True)
class Table(Parts):
    """Fields of an experiment on the rows of any table, as `data.tables` reads them."""

    target: str = (
        ""  # column that is to be told, from "x" or else all other numbers; empty: y (numbers), label (classes)
    )
    test_split: str = ""  # to test, in TFDS's words; empty: "test", or where there is none every third row of train

    @property
    def table(self) -> dict[str, Any]:
        """The fields, as `data.tables` takes them."""
        return {"target": self.target, "splits": self.parts}


MESH_AXES = ("data", "model")

# How far, where and how often to look: none of these changes what a step computes, so a resumed run may change them.
FREE = (
    *("num_steps", "steps_per_call", "log_every", "eval_every", "checkpoint_every", "best"),
    *("lift", "mesh", "layout", "workdir", "data_dir", "plan"),
)


def parse(config_type: type[Study], argv: Sequence[str], *, prog: str, description: str) -> Study:
    """Configuration from command-line words.

    Raises:
      BadInput: for words that no field has, and values that a field cannot have.
    """
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            config = tyro.cli(config_type, args=list(argv), prog=prog, description=description, use_underscores=True)
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise BadInput(_in_one_line(box.getvalue())) from None
    check(config)
    return config


def _in_one_line(box: str) -> str:
    """What tyro says in a frame of several lines, without its reference to the help."""
    lines = [line.strip("│╰╯ ") for line in box.strip().splitlines()[1:]]  # the first is the frame's title
    # A terminal without Unicode gets a frame of hyphens.
    parts = re.split("─+|-{4,}", " ".join(lines).partition("For full helptext")[0])
    return "; ".join(filter(None, map(str.strip, parts)))


def check(config: Study) -> None:
    """Every field within the range that its annotation names, and no data set where none is read.

    Raises:
      BadInput: naming the field, its value and its range.
    """
    for name, wanted in ranges(type(config)).items():
        value = getattr(config, name)
        if value not in wanted:
            raise BadInput(f"--{name} {value}: it must be {wanted}")
    if config.dataset and not type(config)().dataset:
        raise BadInput(f"--dataset {config.dataset}: this experiment makes its own data, and has none to choose")
    mesh_axes(config)
    for point in grid(config):
        check(dataclasses.replace(config, sweep=(), **point))


def ranges(config_type: type[Study]) -> dict[str, Range]:
    """The `Range` of each field that has one."""
    hints = typing.get_type_hints(config_type, include_extras=True)
    return {
        name: note
        for name, hint in hints.items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, Range)
    }


def grid(config: Study) -> list[dict[str, float]]:
    """The points of the sweep, one `{field: value}` for each run; empty without a sweep.

    Raises:
      BadInput: for a field that is not a number of this experiment, or a value that is not a number.
    """
    common = {field.name for field in dataclasses.fields(Config)}  # of steps or not
    hints = typing.get_type_hints(type(config))
    fields = [name for name, hint in hints.items() if hint is float and name not in common]
    columns: dict[str, list[float]] = {}
    for text in config.sweep:
        name, _, values = text.partition("=")
        if name not in fields:
            raise BadInput(f"--sweep {text}: {name} is not one of {', '.join(fields)}{did_you_mean(name, fields)}")
        try:
            columns[name] = [float(value) for value in values.split(",")]
        except ValueError:
            raise BadInput(f"--sweep {text}: it must be {name}=number,number,...") from None
    if not columns:
        return []
    return [dict(zip(columns, point, strict=True)) for point in itertools.product(*columns.values())]


def swept_values(config: Study) -> dict[str, np.ndarray] | None:
    """The sweep's grid as columns `[V]`; None without a sweep."""
    points = grid(config)
    return {name: np.array([p[name] for p in points], np.float32) for name in points[0]} if points else None


def mesh_axes(config: Study) -> dict[str, int]:
    """Sizes of the mesh by name; empty where the configuration leaves them open.

    Raises:
      BadInput: for text that is not name=number,...
    """
    axes: dict[str, int] = {}
    for part in filter(None, config.mesh.split(",")):
        name, _, size = part.partition("=")
        if name not in MESH_AXES or not size.isdigit() or not int(size) or name in axes:
            raise BadInput(f"--mesh {config.mesh}: it must be data=N,model=M{did_you_mean(name, MESH_AXES)}")
        axes[name] = int(size)
    return axes


def default_workdir(config: Study, name: str) -> Path:
    """`runs/<family>/<name>` for the defaults; what differs in computation adds a digest, so no run meets another's."""
    fields = {k: v for k, v in dataclasses.asdict(config).items() if k not in FREE}
    changed = {k: v for k, v in fields.items() if v != getattr(type(config)(), k)}
    folder = Path("runs", *name.split("."))
    if not changed:
        return folder
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    return folder.with_name(f"{folder.name}-{digest}")


def differences(config: Study, saved: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """`{field: (saved, now)}` for each field that decides what is computed and is not as saved."""
    now = json.loads(json.dumps(dataclasses.asdict(config)))
    free = {*FREE} - (set() if config.any_length else {"num_steps"})
    fields = sorted((set(now) | set(saved)) - free)
    gone = "(no such field)"
    pairs = {name: (saved.get(name, gone), now.get(name, gone)) for name in fields}
    if "pmap" in (lifts := (saved.get("lift"), now.get("lift"))):  # each of its devices draws its own noise
        pairs["lift"] = lifts
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
