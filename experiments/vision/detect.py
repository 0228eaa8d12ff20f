"""Things found in rendered scenes: a box around what is seen of each, and what it is.

CenterNet (Zhou et al. 2019, arXiv:1904.07850): a heat map a class whose peaks are the middles of objects, and a box
that is read at each. The network has no normalisation, which costs more than its convolutions do on a CPU.

    python -m experiments.vision.detect
    >>> boxes = run.load("runs/vision/detect").predict(pictures)
    python -m experiments.vision.detect --dataset bccd --picture_size 120x160 --picture_fit resize
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from adl import data, run, show
from adl.core import optimizer
from adl.data.boxed_views import random_flips, random_zooms
from adl.data.boxes import boxed
from adl.measure.detection import Detections, average_precisions
from adl.nn.resnet import group_norm
from adl.vision.cells import ScaleShift
from adl.vision.centernet import CenterNet, centernet, detections
from adl.vision.objects import boxed_pictures

LOSS = {"train: heat": "train/heat", "train: boxes (1 - GIoU)": "train/box"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "scenes/standard"  # TFDS name, or path, with "image" and boxes
    num_steps: run.Count = 4000
    batch_size: run.Split = 16
    eval_every: run.Count = 1000
    best: str = "test/map50:max"
    learning_rate: run.Positive = 4e-3  # of AdamW: the peak, after a twentieth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of kernels, times the learning rate
    ema: run.Rate = 0.998  # decay of the parameter average, which finds
    channels: run.Widths = (64, 96, 128)  # of the network's stages, each at half the resolution of the one before
    num_blocks: run.Count = 1  # residual blocks of a stage
    cell: run.Count = 4  # pixels of a side of the heat map's cells
    norm: Literal["group", "none"] = "group"  # normalisation, or a gain and an offset for each channel instead
    spread: run.Positive = 0.12  # of the warmth around a middle, in sides of the box
    box_weight: run.NonNegative = 2.0  # of the boxes' misfit in the loss
    flip_down: run.Rate = 0.0  # how probably a training picture is upside down; half of them are mirrored
    zoom: run.NonNegative = 0.0  # largest log magnification of a training picture, either way
    shift: run.NonNegative = 0.0  # largest shift of a training picture, in its sides, either way
    num_slots: run.Natural = 0  # objects that a picture has room for; 0: as many as the most that one has
    num_boxes: run.Count = 32  # found in a picture, at most


CLAIMS = (
    run.Claim(
        metric="test/map50",
        at_least=0.90,
        protocol="",
    ),
)
SMOKE = {"dataset": "scenes/sample", "num_steps": 2, "batch_size": 8, "channels": (8, 16)}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures to learn from, and to test."""
    return boxed(cfg.dataset, of=cfg.parts, num_slots=cfg.num_slots, **cfg.source)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A detector of the data set's objects, and how it does on the whole test split."""
    train, test = loaded
    norm = {"group": group_norm, "none": ScaleShift}[cfg.norm]
    model = CenterNet(train.num_classes, cfg.channels, cfg.num_blocks, cfg.cell, norm, jnp.dtype(cfg.precision))

    def augment(key, pictures):
        pictures = random_flips(key, pictures, down=cfg.flip_down)
        if not cfg.zoom and not cfg.shift:
            return pictures
        return random_zooms(jax.random.fold_in(key, 1), pictures, scale=cfg.zoom, shift=cfg.shift)

    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 20, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    own = {"cell": cfg.cell, "spread": cfg.spread, "box_weight": cfg.box_weight}

    def detect(key, learner, image) -> Detections:
        maps = model.apply(learner.averaged, data.image.symmetric(image))
        return detections(maps, image.shape[1:3], cell=cfg.cell, most=cfg.num_boxes)

    return run.Experiment(
        centernet(model, tx, **own, prepare=boxed_pictures(data.image.symmetric, augment), axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": average_precisions(detect, test)},
        offers={"model": model},
        figures=show.figures(
            loss=show.curves(LOSS, y_label="of an object", title="Loss", y_scale="log"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
