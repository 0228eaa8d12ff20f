"""Configuration: a frozen dataclass from the command line, the same fields in every experiment."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adl.core import BadInput, did_you_mean
from adl.run import ranges
from adl.run.ranges import Count, Fraction, Natural, NonNegative, Positive, Rate, Share, Split


@dataclass(frozen=True)
class Study:
    """What an experiment without steps has; its own fields come on top and override these defaults."""

    seed: Natural = 0  # of parameters and noise; the order of the data does not depend on it
    lift: Literal["auto", "jit", "pmap", "shard"] = (
        "auto"  # where steps run: one device (jit), all by pmap, all by one sharded program; auto: shard if several
    )
    mesh: str = ""  # devices of --lift shard, such as data=4,model=2: model splits layers; empty: all split the batch
    num_seeds: Count = 1  # runs with seeds seed, seed + 1, ... in one program
    sweep: tuple[str, ...] = ()  # field=value,value,... [field=...]: all combinations; numbers that need be no
    # integers in one program, other fields one after another
    workdir: str = ""  # output folder; empty: runs/<experiment>, with a digest of what differs from the defaults
    data_dir: str = ""  # of TFDS; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets
    dataset: str = ""  # TFDS name, or the path of one's own, which begins with /, ./, ../ or ~
    precision: Literal["float32", "bfloat16"] = "float32"  # of the computation; parameters stay float32
    figure_format: str = "png"  # of the figures: png, pdf or svg, or several, png,pdf

    # Not fields: the loop of a study ends where it begins.
    num_steps, steps_per_call, log_every, eval_every, checkpoint_every = 0, 1, 1, 1, 1
    leave_out, best, layout, plan = (), "test/loss", "replicated", ""
    init_from, init_prefix = "", ()
    # Nor is this: whether nothing that is computed reads `num_steps`, so that a longer run goes on from a shorter.
    any_length = False


@dataclass(frozen=True)
class Config(Study):
    """What every experiment with steps has; an experiment's own fields come on top and override these defaults."""

    num_steps: Count = 1000  # length of the run
    batch_size: Split = 128  # examples a step, over all devices
    steps_per_call: Count = 1  # steps a dispatch (scan)
    log_every: Count = 100  # steps between rows of training metrics
    eval_every: Count = 500  # steps between probes
    checkpoint_every: Count = 500  # steps between checkpoints, of which the newest three stay
    leave_out: tuple[str, ...] = ()  # parts of the state, such as replay, too large for checkpoints: anew on resuming
    best: str = "test/loss"  # metric whose lowest value's checkpoint stays; test/accuracy:max: the highest; empty: none
    layout: Literal["replicated", "fsdp"] = "replicated"  # of the state under --lift shard, over the mesh's data
    init_from: str = ""  # weights to begin with: a run's folder, its checkpoints/STEP, or what `export` wrote
    init_prefix: tuple[str, ...] = ()  # parts of --init_from: params/head, THEIRS=OURS, or PART= that is left out; all
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
class Chained:
    """Fields of an experiment whose energy of pictures learns from Langevin chains that persist in a buffer."""

    std: Positive = 3.0  # of the Gaussian that the network tilts, in units of pixels in [-1, 1], at temperature 1
    noise: NonNegative = 0.03  # standard deviation of the noise on training pixels, which have few levels
    num_chains: Split = 1536  # in the buffer, split over devices
    restart: Fraction = 0.05  # share of the moved chains that begin anew, in noise
    langevin_steps: Count = 20  # of a chain that is moved
    step_size: Positive = 1.0  # of Langevin: a step goes half its square down the gradient of the energy
    temperature: NonNegative = 4e-4  # of Langevin: a step's noise is step_size * sqrt(temperature) = 0.02
    alpha: NonNegative = 0.01  # of energies near 0

    @property
    def chains(self) -> dict[str, Any]:
        """Some of the fields, as the factories of `energy` take them."""
        return {"num_chains": self.num_chains, "restart": self.restart, "alpha": self.alpha}

    @property
    def walk(self) -> dict[str, float]:
        """Others, as `sampling.langevin.langevin` takes them."""
        return {"step_size": self.step_size, "temperature": self.temperature}


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
class Sourced:
    """Fields of an experiment that reads a data set: TFDS's, or one's own by its path."""

    columns: str = ""  # wanted=found,...: what the data set calls the columns, image=pixels,label=y; x=a+b joins two
    test_share: Share = 0.2  # of one's own data that have no test part: drawn by a hash of names, or a text's end

    @property
    def source(self) -> dict[str, Any]:
        """The fields, as `data.load` takes them."""
        return {"data_dir": self.data_dir, "columns": self.columns, "test_share": self.test_share}


@dataclass(frozen=True)
class Pictured(Sourced):
    """The same, of pictures."""

    picture_size: str = ""  # HxW, such as 64x64, to which pictures are brought; empty: they must be of one size
    picture_fit: Literal["refuse", "resize", "crop"] = (
        "refuse"  # of pictures of another size: resize stretches all of each, crop takes its middle, then resizes
    )
    picture_colour: Literal["kept", "grey", "rgb"] = "kept"  # of all pictures, where some are grey and some are not

    @property
    def source(self) -> dict[str, Any]:
        """The fields, as `data.load` takes them."""
        fit = {name: getattr(self, name) for name in ("picture_size", "picture_fit", "picture_colour")}
        return {**super().source, **fit}


@dataclass(frozen=True)
class Parts(Sourced):
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

    target: str = ""  # column that is to be told from "x", or else all other numbers; empty: y, or label of classes
    test_split: str = ""  # to test, in TFDS's words; empty: "test", or where there is none every third row of train

    @property
    def table(self) -> dict[str, Any]:
        """The fields, as `data.tables` takes them."""
        return {"target": self.target, "splits": self.parts, **self.source}


MESH_AXES = ("data", "model")
FORMATS = ("png", "pdf", "svg")

# How far, where and how often to look: none of these changes what a step computes, so a resumed run may change them;
# the length only where a step does not read it (`any_length`).
FREE = (
    *("num_steps", "steps_per_call", "log_every", "eval_every", "checkpoint_every", "best"),
    *("lift", "mesh", "layout", "workdir", "data_dir", "plan", "figure_format"),
)

LATER = {"init_from": "", "init_prefix": []}  # fields that runs of older versions have not, and what these did


def figure_formats(config: Study) -> list[str]:
    """Endings of the files of each figure.

    Raises:
      BadInput: for one that there is not.
    """
    formats = config.figure_format.split(",")
    for name in formats:
        if name not in FORMATS or formats.count(name) > 1:
            of = f"{', '.join(FORMATS)}, or several with commas between{did_you_mean(name, FORMATS)}"
            raise BadInput(f"--figure_format {config.figure_format}: it must be {of}")
    return formats


def mesh_axes(config: Study) -> dict[str, int]:
    """Sizes of the mesh by name; empty where the configuration leaves them open.

    Raises:
      BadInput: for text that is not name=number,...
    """
    axes: dict[str, int] = {}
    for part in config.mesh.split(",") if config.mesh else ():
        name, _, size = part.partition("=")
        number = ranges.number(int, size)
        if name not in MESH_AXES or number is None or number not in Count.__metadata__[0] or name in axes:
            wanted = f"data=N,model=M{did_you_mean(name, MESH_AXES) if name not in MESH_AXES else ''}"
            raise BadInput(f"--mesh {ranges.short(config.mesh)}: it must be {wanted}")
        axes[name] = number
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
    saved = {name: value for name, value in LATER.items() if name in now} | saved
    fields = sorted((set(now) | set(saved)) - free)
    gone = "(no such field)"
    pairs = {name: (saved.get(name, gone), now.get(name, gone)) for name in fields}
    if "pmap" in (lifts := (saved.get("lift"), now.get("lift"))):  # each of its devices draws its own noise
        pairs["lift"] = lifts
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
