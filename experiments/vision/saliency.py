"""Where a network looks: six maps of saliency, and four questions that tell whether they are worth looking at.

A small ResNet with batch normalisation names rendered things. Its maps play the grid pointing game (Boehle et al. 2021,
arXiv:2104.00032): four pictures side by side, one class asked for, and the map's largest value on that thing, or not.
Integrated gradients must sum to what the score gains (Sundararajan et al. 2017, arXiv:1703.01365), and all maps must
change when layers are drawn anew (Adebayo et al. 2018, arXiv:1810.03292).

    python -m experiments.vision.saliency
    >>> probability = run.load("runs/vision/saliency").predict(pictures)

Expected: 76 % of the test pictures named rightly. The largest value lies on the thing in 56 % of the grids by
occlusion, 29 % by integrated gradients and SmoothGrad, 16 % by the gradient, 2 % by edges; chance has 4 %.
"""

import functools
import operator
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Learner, full_pass, optimizer
from adl.data.image import unit
from adl.nn.resnet import BatchNorm, ResNet
from adl.supervised.classification import classifier, evaluation, views
from adl.vision.explanation import METHODS, WITH_EDGES, Grids, completeness, explanations, pointing, randomised


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is one of the runs that the claims are about."""

    dataset: str = "scenes/single"  # TFDS name, or path, with "image", "label" and "segment", 0 where nothing is
    num_steps: run.Count = 600
    batch_size: run.Count = 128
    eval_every: run.Count = 200
    learning_rate: run.Positive = 5e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of matrices and kernels, times the learning rate
    ema: run.Rate = 0.98  # decay of the parameter average, which is explained
    shift: run.Natural = 3  # largest shift of a picture in training along each axis, in pixels
    width: run.Count = 16  # channels of the first stage; each further stage has twice the last's
    num_stages: run.Count = 3  # of the ResNet; each after the first at half the resolution
    path: run.Count = 32  # gradients of integrated gradients where they are drawn
    fine_path: run.Count = 1024  # the same where they are summed
    samples: run.Count = 32  # noisy pictures of SmoothGrad
    noise: run.NonNegative = 0.1  # their noise, of the pixels' range
    square: run.Count = 8  # side of what is laid over pictures, in pixels
    num_grids: run.Count = 96  # of the pointing game
    num_explained: run.Count = 32  # pictures whose sums are checked, and whose maps while layers are drawn anew


BOUNDS = {  # of a metric, with what it is, and what one seed had
    "completeness/gap": ({"at_most": 1e-3}, "|sum of the map - gain of the logit| over |gain|", "0.0003; exactly 0"),
    "grids/occlusion_pointing": ({"at_least": 0.3}, "largest value on the thing, 96 grids", "0.56; chance 0.04"),
    "grids/grad_cam_cell": ({"at_least": 0.4}, "sum of the map in the cell, 96 grids", "0.54; chance and edges 0.25"),
    "randomised/smooth_rank": ({"at_most": 0.6}, "rank correlation, all layers drawn anew", "0.31; of edges 1"),
}
CLAIMS = tuple(
    run.Claim(name, f"scenes/single, test pictures; mean of 3 seeds: {text}", {"num_seeds": 3}, **bound, reference=seen)
    for name, (bound, text, seen) in BOUNDS.items()
)
SMOKE = {
    **{"dataset": "scenes/single_sample", "num_steps": 2, "batch_size": 16, "width": 4, "num_stages": 1},
    **{"path": 2, "fine_path": 4, "samples": 2, "square": 32, "num_grids": 4, "num_explained": 2},
}


class Pictures(NamedTuple):
    """Pictures to learn from, to test, and to explain."""

    train: data.Split
    test: data.Split
    grids: Grids
    explained: dict[str, np.ndarray]


def load(cfg: Config) -> Pictures:
    """Both splits, with masks of their things; and grids of the test split's pictures."""
    wanted = ("image", "label", "segment")
    train, test = data.splits(cfg.dataset, *wanted, of=cfg.parts, num_classes=4, **cfg.source)
    image, label, segment = (test.column(name) for name in wanted)
    grids = Grids.of(image, label, segment > 0, cfg.num_grids)
    return Pictures(train, test, grids, test.take(np.arange(min(cfg.num_explained, len(test)))))


def build(cfg: Config, loaded: Pictures, axis: str | None) -> run.Experiment:
    """A classifier of things, and what maps of it point at."""
    train, test = loaded.train, loaded.test
    norm = functools.partial(BatchNorm, axis=axis)
    channels = tuple(cfg.width * 2**stage for stage in range(cfg.num_stages))
    model = ResNet(train.num_classes, channels, stem_stride=2, norm=norm, dtype=jnp.dtype(cfg.precision))
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    shifted = functools.partial(data.views.random_shift, pixels=cfg.shift)

    learned = operator.attrgetter("averaged")

    def logits(learner: Learner, image: Array) -> Array:
        return model.apply(learned(learner), unit(image))

    options = {"path": cfg.path, "samples": cfg.samples, "std": cfg.noise, "square": cfg.square}
    explain = explanations(model, layer=f"ResidualBlock_{cfg.num_stages - 1}", **options)
    layers = ["Dense_0", "BatchNorm_0", *(f"ResidualBlock_{k}" for k in reversed(range(cfg.num_stages))), "Conv_0"]
    return run.Experiment(
        classifier(model, tx, prepare=views(unit, shifted), axis=axis),
        data.shuffled(train.require("image", "label"), cfg.batch_size),
        probes={"test": full_pass(evaluation(logits), data.padded(test.require("image", "label"), 500), len(test))},
        final={
            "grids": pointing(explain, learned, loaded.grids, shown=6),
            "completeness": completeness(model, learned, loaded.explained, cfg.fine_path),
            "randomised": randomised(model, explain, learned, loaded.explained),
        },
        offers={"model": model, "predict": run.Offer.of_pictures(lambda key, *of: logits(*of), train)},
        figures=show.figures(
            accuracy=show.curves(
                {"train": "train/accuracy", "test": "test/accuracy"}, y_label="accuracy", title="Accuracy", y_lim=(0, 1)
            ),
            maps=show.heat_maps("grids", WITH_EDGES, names=train.class_names, title="What speaks for the class?"),
            pointing=show.pointing_bars("grids", WITH_EDGES, title=f"{cfg.num_grids} grids of four pictures"),
            randomised=show.randomisation("randomised", METHODS, layers),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
