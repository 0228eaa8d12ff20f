"""Depth from a single picture: how far away every pixel of a rendered scene is, in metres, by a U-Net.

The scale-invariant error of logarithms (Eigen, Puhrsch & Fergus 2014, arXiv:1406.2283), of a residual U-Net that folds
squares of pixels into channels, and whose way up adds (Chaurasia & Culurciello 2017, arXiv:1707.03718), by Muon; what
it tells is the mean over a picture and its mirror. Beside it the mean depth, of all pixels and of each.

    python -m experiments.vision.depth
    >>> metres = run.load("runs/vision/depth").predict(pictures)
    python -m experiments.vision.depth --sweep balance=0,0.5,1 --num_seeds 3

Expected on scenes/standard: a mean relative error of 0.064 (one seed), three minutes on 2 cores that others use too.

Own data: arrays "image" uint8 [N, H, W, C] and "depth" [N, H, W] in metres, 0 where it is not known.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Learner, optimizer
from adl.supervised.regression import fit
from adl.vision import depth as depths
from adl.vision.dense import dense_network, mirrored, told_at

PROTOCOL = "scenes/standard: 8,000 to train, all pixels of all 1,000 test scenes"
LOSS = {"train": "train/relative", "test (averaged parameters)": "test/relative"}
BASELINES = {"mean of each pixel": "by_pixel", "mean depth": "constant"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "scenes/standard"  # TFDS name, or path, with "image" and "depth"
    num_steps: run.Count = 1000
    batch_size: run.Split = 16
    eval_every: run.Count = 250
    steps_per_call: run.Count = 10
    balance: run.Fraction = 0.5  # of the loss: 0 errors of logarithms, 1 only what no factor of a picture explains
    model: Literal["linknet", "unet"] = "linknet"  # a U-Net whose way up adds, or one whose way up concatenates
    channels: run.Widths = (32, 96, 128, 192)  # of the network's levels, each at half the resolution of the one before
    num_blocks: run.Count = 1  # residual blocks of a level on the way down
    patch: run.Count = 2  # pixels a side that are folded into channels
    learning_rate: run.Positive = 0.1  # of Muon: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 1e-2  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts


CLAIMS = (
    run.Claim(
        metric="test/relative",
        at_most=0.10,
        protocol=f"{PROTOCOL}; mean |told - true| / true",
        reference="mean depth of each pixel, in the same run (by_pixel/relative)",
    ),
    run.Claim(
        metric="constant/relative",
        at_least=0.25,
        protocol=f"{PROTOCOL}; the mean training depth everywhere: the scenes are hard enough",
    ),
)
SMOKE = {"dataset": "scenes/sample", "num_steps": 4, "batch_size": 8, "channels": (8, 8), "patch": 4}


def load(cfg: Config) -> tuple[data.Split, data.Split, float, np.ndarray]:
    """Pictures with depths, to learn from and to test; and of the former the geometric mean, and the mean by pixel."""
    found = data.splits(cfg.dataset, "image", "depth", of=cfg.parts, **cfg.source)
    names = [f"data set {cfg.dataset}, split {part}" for part in cfg.parts]
    train, test = (depths.require_depths(split, name) for split, name in zip(found, names, strict=True))
    known = train.column("depth")
    return train, test, depths.geometric_mean(known), depths.mean_by_pixel(known)


def build(cfg: Config, loaded: tuple, axis: str | None) -> run.Experiment:
    """Depths of the pixels of the data set's pictures, and how they are on the whole test split."""
    train, test, unit, by_pixel = loaded
    options = {"num_blocks": cfg.num_blocks, "patch": cfg.patch, "dtype": jnp.dtype(cfg.precision)}
    model = dense_network(cfg.model, cfg.channels, 1, axis=axis, **options)
    algorithm = fit(
        model,
        optimizer.muon(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))),
        loss=depths.scale_invariant_error(cfg.balance),
        prepare=depths.depth_views(unit, data.image.symmetric, data.views.random_flip),
        axis=axis,
    )

    def metres(learner: Learner, image: Array) -> Array:
        told = mirrored(functools.partial(model.apply, learner.averaged))(data.image.symmetric(image))
        return unit * jnp.exp(told[..., 0])

    shown = test.first(show.SHOWN)
    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        probes={"test": depths.judged_depth(metres, test)},
        final={
            "by_pixel": depths.judged_depth(depths.always(by_pixel), test),
            "constant": depths.judged_depth(depths.always(by_pixel.mean()), test),
            "shown": told_at(metres, shown),
        },
        offers={
            "model": model,
            "predict": run.Offer(lambda key, *of: metres(*of), run.Images(train.example_shape), run.Maps(unit="m")),
        },
        figures=show.figures(
            error=show.curves(LOSS, y_label="mean |told - true| / true", title="Relative error", y_scale="log"),
            maps=show.depth_maps("shown/told", image=shown.column("image"), depth=shown.column("depth")),
            by_depth=show.error_by_depth("test", BASELINES),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
