"""Handwritten digits, and what their classifier says far from them: turned, enlarged, inverted, or no digits at all.

A small ResNet learns upright digits. Then they turn, grow, and become their own negatives, and it is shown rendered
things, noise, and digits whose pixels were shuffled; the largest probability is all that it has to say that it does not
know (Hendrycks & Gimpel 2017, arXiv:1610.02136). Turned digits under ensembles: `experiments.uncertainty`.

    python -m experiments.vision.extrapolate
    >>> probability = run.load("runs/vision/extrapolate").predict(pictures)
    python -m experiments.vision.extrapolate --foreign ./photos

Expected: 98 % of digits are named rightly with confidence 0.96; of negatives 8 % with 0.67, turned by 90 degrees 10 %
with 0.76. Confidence tells digits from rendered things by an AUROC of 0.95, and yet 14 % of these have 0.9 or more.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Key, Learner, full_pass, optimizer
from adl.data.image import PROTOCOLS, unit
from adl.nn.resnet import ResNet
from adl.supervised.classification import classifier, evaluation, views
from adl.vision.extrapolation import AMOUNTS, CHANGES, TEXTS, changed, foreign, without_sense

KINDS = {"scenes": "other pictures", "noise": "noise", "shuffled": "shuffled digits"}
SHOWN = 2  # pictures while they change


@dataclass(frozen=True)
class Config(run.Averaged, run.Views, run.Pictured, run.Parts, run.Config):
    """The default is one of the runs that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    foreign: str = "scenes/single"  # TFDS name, or path, with "image": its test pictures, at the size of the others
    num_steps: run.Count = 600
    batch_size: run.Count = 128
    eval_every: run.Count = 200
    learning_rate: run.Positive = 1e-2  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.5  # of matrices and kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which is asked
    degrees: run.NonNegative = 10.0  # largest rotation of a view in training, either way
    scale: run.NonNegative = 0.1  # largest log magnification of a view along each axis, either way
    shift: run.NonNegative = 0.5  # largest shift of a view along each axis, in pixels, either way
    shear: run.NonNegative = 0.1  # largest shear of a view, either way
    width: run.Eights = 16  # channels of the first stage; the second has twice as many
    num_asked: run.Count = 1000  # pictures of each kind that are asked about, at most: all 360 of digits


BOUNDS = {  # of a metric, with what it is, and what one seed of 300 steps had
    "changed/inverted_confidence": ({"at_least": 0.5}, "mean confidence in negatives", "0.67, where 8 % are right"),
    "foreign/scenes_area": ({"at_least": 0.85}, "AUROC of confidence, digits before scenes/single at 8 x 8", "0.95"),
    "foreign/noise_area": ({"at_least": 0.85}, "AUROC of confidence, digits before noise", "0.96"),
    "foreign/scenes_sure": ({"at_least": 0.02}, "share of scenes/single with 0.9 or more", "0.145; best were 0"),
}
CLAIMS = tuple(
    run.Claim(name, f"{PROTOCOLS['digits']}; mean of 3 seeds: {text}", {"num_seeds": 3}, **bound, reference=seen)
    for name, (bound, text, seen) in BOUNDS.items()
)
SMOKE = {"num_steps": 2, "batch_size": 16, "width": 8, "num_asked": 16, "foreign": "scenes/single_sample"}


class Pictures(NamedTuple):
    """Pictures to learn from, to test, and others."""

    train: data.Split
    test: data.Split
    others: dict[str, np.ndarray]


def load(cfg: Config) -> Pictures:
    """Both splits; of another data set the test pictures at their size; and pictures of nothing."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    height, width, channels = test.example_shape
    colour = "rgb" if channels == 3 else "grey"
    fit = {"picture_size": f"{height}x{width}", "picture_fit": "resize", "picture_colour": colour}
    try:
        (others,) = data.splits(cfg.foreign, "image", of=("test",), data_dir=cfg.data_dir, **fit)
    except BadInput as error:
        raise BadInput(f"--foreign: {error}".replace("--dataset", "--foreign")) from None
    few = test.first(cfg.num_asked).arrays["image"]
    return Pictures(train, test, {"scenes": others.first(cfg.num_asked).arrays["image"], **without_sense(few)})


def build(cfg: Config, loaded: Pictures, axis: str | None) -> run.Experiment:
    """A classifier of digits, and what it says of what is none."""
    train, test, others = loaded
    model = ResNet(train.num_classes, (cfg.width, 2 * cfg.width), dtype=jnp.dtype(cfg.precision))
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)

    def tell(learner: Learner, x: Array) -> Array:
        return model.apply(learner.averaged, x)

    def predict(key: Key, learner: Learner, image: Array) -> Array:
        return tell(learner, unit(image))

    asked, names = test.first(cfg.num_asked), train.class_names
    ways = {name: (TEXTS[name], AMOUNTS[name]) for name in CHANGES}
    return run.Experiment(
        classifier(model, tx, prepare=views(unit, functools.partial(data.views.random_affine, **cfg.view)), axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(evaluation(functools.partial(predict, None)), data.padded(test, 500), len(test))},
        final={
            "changed": changed(tell, CHANGES, asked, SHOWN),
            "foreign": foreign(tell, asked.column("image"), others, 8),
        },
        offers={"model": model, "predict": run.Offer.of_pictures(predict, train)},
        figures=show.figures(
            changed=show.extrapolated("changed", ways, names=names, title=f"{len(asked):,} test pictures, changed"),
            foreign=show.strangers("foreign", KINDS, names=names, title="No digits, and most surely taken for some"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
