"""Segmentation: a class for every pixel of a rendered scene, by a U-Net; or the membranes of a fly's nerve cells.

A residual U-Net (Ronneberger et al. 2015, arXiv:1505.04597) that folds squares of pixels into channels, and whose way
up adds (Chaurasia & Culurciello 2017, arXiv:1707.03718), by Muon on the surprise of each pixel; what it tells is the
mean over a picture and its mirror. Beside it thresholds of colour with connected components, or of grey after a blur.
Expected on scenes/standard: mIoU 0.84 (digits 0.67) after 2,000 steps; 0.92 (digits 0.82) after 9,000; one seed each.

    python -m experiments.vision.segment
    >>> probability = run.load("runs/vision/segment").predict(pictures)
    python -m experiments.vision.segment --loss dice --num_seeds 3
    python -m experiments.vision.segment --dataset ./mine.npz

Own data: arrays "image" uint8 [N, H, W, C] and "segment" [N, H, W] of classes 0 ... K - 1, 255 where a pixel counts
nowhere.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Learner, optimizer
from adl.data.segments import Segments, masked_splits
from adl.supervised.regression import fit
from adl.vision import segmentation
from adl.vision.dense import View, dense_network, mirrored, told_at, views_of
from adl.vision.threshold import thresholded

LOSS = {"train (random views)": "train/loss", "test (averaged parameters)": "test/loss"}
SLOTS = ("instance", "seen")  # of objects, where a data set knows them
FITTED = 500  # training pictures by which the baseline's thresholds are found
PROTOCOL = "scenes/standard: 8,000 to train, all pixels of all 1,000 test scenes"
MEAN = f"{PROTOCOL}; mean over background and 8 classes"
ISBI = {
    **{"dataset": "isbi2012", "test_split": "validation", "crop": 128, "augment": "elastic", "batch_size": 8},
    **{"num_steps": 300, "eval_every": 300, "fine": 0},
}
THRESHOLD = "colour threshold with connected components, in the same run (baseline/miou): 0.098"
SLICES = "isbi2012: slices 0 to 23 to train, in crops of 128; slices 24 to 29 whole, 512 x 512; one seed"


@dataclass(frozen=True)
class Config(run.Averaged, run.Views, run.Parts, run.Config):
    """The default is the run that the claims on scenes are about."""

    dataset: str = "scenes/standard"  # TFDS name, or path, with "image" and "segment" (or "mask")
    num_steps: run.Count = 2000
    batch_size: run.Split = 16
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    loss: Literal["surprise", "dice", "focal"] = "surprise"  # of pixels: what telling one wrong costs
    model: Literal["linknet", "unet"] = "linknet"  # a U-Net whose way up adds, or one whose way up concatenates
    channels: run.Widths = (32, 96, 128, 192)  # of the network's levels, each at half the resolution of the one before
    num_blocks: run.Count = 1  # residual blocks of a level on the way down
    patch: run.Count = 2  # pixels a side that are folded into channels
    fine: run.Natural = 16  # channels of a last block at full resolution, of "linknet"; 0: none
    crop: run.Natural = 0  # pixels a side of squares that are learned from; 0: whole pictures
    augment: Literal["none", "flip", "affine", "elastic"] = "flip"  # views; each has those before, elastic upside down
    recolour: bool = True  # whether the channels of a training picture change places
    degrees: run.NonNegative = 15.0  # largest rotation of a view, either way
    elastic: run.NonNegative = 5.0  # standard deviation of an elastic view's displacements, in pixels
    learning_rate: run.Positive = 0.1  # of Muon: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 1e-2  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts


CLAIMS = (
    run.Claim("test/miou", MEAN, {}, 0.83, reference=THRESHOLD),
    run.Claim("test/miou", MEAN, {"num_steps": 9000, "eval_every": 1000}, 0.90, reference=THRESHOLD, long=True),
    run.Claim(
        metric="baseline/miou",
        at_most=0.5,
        protocol=f"{PROTOCOL}; colour threshold with connected components: the scenes are hard enough",
    ),
    *(
        run.Claim(f"test/{name}", SLICES, ISBI, bound, reference=told, long=True, needs=("data isbi2012",))
        for name, bound, told in (
            ("dice_membrane", 0.75, "blur and threshold, in the same run (baseline): 0.63; measured: 0.786"),
            ("accuracy", 0.91, "blur and threshold, in the same run (baseline): 0.81; measured: 0.920"),
        )
    ),
)
SMOKE = {
    **{"dataset": "scenes/sample", "num_steps": 4, "batch_size": 8, "channels": (8, 8), "patch": 4},
    **{"augment": "elastic", "crop": 32},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, Segments, np.ndarray]:
    """Pictures with masks, to learn from and to test, and their classes; and what thresholds tell of the latter."""
    train, test, found = masked_splits(cfg.dataset, of=cfg.parts, also=SLOTS, **cfg.source)
    few = train.first(FITTED).arrays
    told = thresholded(few["image"], found.encode(few["segment"]), found.num_classes, test.column("image"))
    return train, test, found, told


def build(cfg: Config, loaded: tuple, axis: str | None) -> run.Experiment:
    """A class for each pixel of the data set's pictures, and how it does on the whole test split."""
    train, test, segments, threshold = loaded
    options = {"num_blocks": cfg.num_blocks, "patch": cfg.patch, "dtype": jnp.dtype(cfg.precision)}
    model = dense_network(cfg.model, cfg.channels, segments.num_classes, axis=axis, fine=cfg.fine, **options)
    tint = data.views.random_channels if cfg.recolour else None
    algorithm = fit(
        model,
        optimizer.muon(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))),
        loss=segmentation.LOSSES[cfg.loss](),
        prepare=segmentation.paired(segments, data.image.symmetric, view(cfg), tint=tint),
        axis=axis,
    )

    def logits(learner: Learner, image: Array) -> Array:
        look = functools.partial(model.apply, learner.averaged)
        return (look if cfg.augment == "none" else mirrored(look))(data.image.symmetric(image))

    shown, num_slots = test.first(show.SHOWN), test.column("seen").shape[1] if "seen" in test.names else 0
    masks = {"image": shown.column("image"), "segment": segments.encode(shown.column("segment"))}
    return run.Experiment(
        algorithm,
        data.shuffled(train.require("image", "segment"), cfg.batch_size),
        probes={"test": segmentation.judged(logits, test, segments, num_slots=num_slots)},
        final={
            "baseline": segmentation.compared(threshold, test, segments),
            "shown": told_at(lambda *of: logits(*of).argmax(-1), shown),
        },
        offers={
            "model": model,
            "predict": run.Offer(lambda _, *of: logits(*of), run.Images(train.example_shape), run.Maps(segments.names)),
        },
        figures=show.figures(
            loss=show.curves(LOSS, y_label="surprise of a pixel (nats)", title="Loss", y_scale="log"),
            masks=show.segmented("shown/told", **masks, names=segments.names),
            classes=show.class_overlap(segments.names, {cfg.model: "test", "threshold": "baseline"}),
            **({"objects": show.object_overlap("test", test.column("seen"))} if num_slots else {}),
        ),
    )


def view(cfg: Config) -> View | None:
    """Random views of pictures and masks alike; None for none."""
    affine = cfg.view if cfg.augment in ("affine", "elastic") else {}
    return views_of(cfg.augment, cfg.crop, affine, cfg.elastic if cfg.augment == "elastic" else 0.0)


if __name__ == "__main__":
    run.main(__name__)
