"""Features made by hand and features that were learned, layer by layer: what a linear classifier reads in each.

A small residual network (He et al. 2016, arXiv:1603.05027) learns to name pictures. Then a softmax regression is
fitted to what each of its layers says, as many numbers of each (Alain & Bengio 2016, arXiv:1610.01644); beside it the
same of pixels and of the layers before learning, and a linear SVM on histograms of oriented gradients (Dalal & Triggs
2005).

    python -m experiments.vision.features --num_seeds 3
    >>> probability = run.load("runs/vision/features").predict(pictures)
    python -m experiments.vision.features --dataset digits --cell 4

Expected on rendered pictures of one thing in clutter, three seeds: 0.36 of the test pictures in the first convolution,
0.68, 0.75 and 0.88 in the three blocks (before learning 0.32, 0.37, 0.26 and 0.32), 0.41 in means of pixels, and 0.60
by HOG. A minute or two a seed on 2 cores.
"""

import functools
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Learner, full_pass, optimizer
from adl.data.image import unit
from adl.nn.mlp import flat
from adl.nn.resnet import BatchNorm, ResNet, receptive_fields
from adl.supervised.classification import classifier, evaluation, views
from adl.vision import filters
from adl.vision.hog import oriented_gradients
from adl.vision.layers import read_in_layers

SHOWN = 2  # pictures that are filtered
LEARNED = ("filters/learned", "filters/maps", "filters/image")
BY_HAND = ("filters/by_hand", "filters/by_hand_maps", "filters/image")
ACCURACY = {"train (random views)": "train/accuracy", "test (averaged parameters)": "test/accuracy"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Views, run.Pictured, run.Parts, run.Config):
    """The default is a run of the claims, of one seed."""

    dataset: str = "scenes/single"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 1500
    batch_size: run.Count = 64
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    learning_rate: run.Positive = 1e-2  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of matrices and kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which is probed
    degrees: run.NonNegative = 10.0  # largest rotation of a view, either way
    width: run.Eights = 16  # channels of the first stage; each stage has twice the last's
    stem_stride: run.Count = 2  # of the first convolution; 1 is four times dearer
    num_stages: run.Count = 3  # of one block, each after the first at half the resolution
    numbers: run.Count = 256  # of each layer that are probed, at most: means over parts of its maps
    l2: run.Positive = 0.01  # of the probes' weights, in nats
    cell: run.Count = 8  # sides of HOG's cells, in pixels
    num_bins: run.Count = 9  # of HOG's directions


PROTOCOL = (
    "scenes/single, 8,000 to train, all 2,000 to test; softmax regression (l2 0.01) on 256 numbers of the last layer"
)
BOUNDS = {  # of a metric, with what its accuracy is compared with, and what is known of that
    "gain": (0.25, "a linear SVM's on HOG (cells of 8 pixels)", "0.279, of 0.876 and 0.598"),
    "learned": (0.50, "its own before learning", "0.557, of 0.876 and 0.319"),
}
CLAIMS = tuple(
    run.Claim(
        f"layers/{name}", f"{PROTOCOL}: accuracy less {text}; mean of 3 seeds", {"num_seeds": 3}, bound, reference=of
    )
    for name, (bound, text, of) in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 2, "batch_size": 16, "width": 8, "num_stages": 1, "numbers": 16, "cell": 4, "dataset": "digits"},
    **{"train_split": "train[:64]", "test_split": "test[:32]"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures to learn from, and to test."""
    splits = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    height, width, _ = splits[0].example_shape
    if min(height, width) < 2 * cfg.cell:
        raise BadInput(
            f"--cell {cfg.cell}: a block of HOG is two cells wide, and pictures are {height} x {width} pixels"
        )
    return splits


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A classifier, and what is read in its layers, in pixels and in HOG."""
    train, test = loaded
    channels = tuple(cfg.width * 2**stage for stage in range(cfg.num_stages))
    norm, dtype = functools.partial(BatchNorm, axis=axis), jnp.dtype(cfg.precision)
    model = ResNet(train.num_classes, channels, stem_stride=cfg.stem_stride, norm=norm, dtype=dtype)
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    seen = views(unit, functools.partial(data.views.random_affine, **cfg.view))

    def logits(learner: Learner, image: Array) -> Array:
        return model.apply(learner.averaged, unit(image))

    fields = receptive_fields(model)
    layers = {name: "conv" if name == "Conv_0" else f"block {i}" for i, name in enumerate(fields)}
    hog = functools.partial(oriented_gradients, cell=cfg.cell, num_bins=cfg.num_bins)
    read = read_in_layers(
        *(model, layers, train, test),
        **{"variables": lambda learner: learner.averaged, "encode": unit, "numbers": cfg.numbers, "l2": cfg.l2},
        by_hand={"HOG": lambda image: flat(hog(image.astype(jnp.float32)))},
    )
    shown = test.first(SHOWN).arrays["image"]
    kernels = filters.responses(shown, unit, lambda learner: learner.averaged["params"]["Conv_0"]["kernel"])
    return run.Experiment(
        classifier(model, tx, prepare=seen, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(evaluation(logits), data.padded(test, 500), len(test))},
        final={"layers": read, "filters": kernels},
        offers={"model": model, "predict": run.Offer.of_pictures(lambda key, *of: logits(*of), train)},
        figures=show.figures(
            layers=show.by_layer({layers[name]: field.size for name, field in fields.items()}, by_hand=["HOG"]),
            learned=show.of(show.kernel_responses, *LEARNED, names=range(1, cfg.width + 1)),
            by_hand=show.of(show.kernel_responses, *BY_HAND, names=tuple(filters.KERNELS)),
            accuracy=show.curves(ACCURACY, y_label="accuracy", title="Learning"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
