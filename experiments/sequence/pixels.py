"""Digits a pixel a step: what a network still knows at the end of a long sequence, side by side with others.

An LSTM (Hochreiter & Schmidhuber 1997), a transformer (Vaswani et al. 2017, arXiv:1706.03762), linear recurrent units
(Orvieto et al. 2023, arXiv:2303.06349) and Mamba (Gu & Dao 2023, arXiv:2312.00752) read pictures row after row, or in
an order drawn once (Le et al. 2015, arXiv:1504.00941), and say at the last pixel which digit it was.

    python -m experiments.sequence.pixels
    >>> probability = run.load("runs/sequence/pixels").predict(pictures)
    python -m experiments.sequence.pixels --order permuted
    python -m experiments.sequence.pixels --models lstm --sweep memory=3,10,30,100 --num_seeds 3
    python -m experiments.sequence.pixels --picture_size 16x16 --picture_fit resize

Expected, one seed: linear recurrent units 0.956 of the test digits row after row and 0.925 in an order drawn once, an
LSTM as large 0.825 row after row; without any order 3 nearest neighbours have 0.967, softmax regression 0.897. Two
minutes on 2 cores that others used, too.
"""

import functools
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import beside, optimizer
from adl.data.image import PROTOCOLS
from adl.nn.sequence_classifier import Summary
from adl.sequence import causal, scanned
from adl.supervised.classification import classifier


@dataclass(frozen=True)
class Config(run.Averaged, run.Views, run.Pictured, run.Parts, run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 1500
    batch_size: run.Split = 32
    eval_every: run.Count = 250
    steps_per_call: run.Count = 10
    best: str = "test/loss"  # of the first of the models
    models: tuple[causal.Kind, ...] = ("lru", "lstm")  # that learn side by side, of the same batches
    order: Literal["rows", "permuted"] = "rows"  # of the pixels: row after row, or drawn once
    summary: Summary = "last"  # of what the layers put out: at the last pixel, the mean, or the largest
    memory: run.Several = 64  # steps in which recurrent states fade to 1 / e at the start: of linear ones the slowest
    num_layers: run.Count = 2  # of all but the LSTM, whose one is twice as wide
    width: run.Count = 32  # of embeddings and layers
    num_heads: Annotated[run.Count, run.divisor_of("width")] = 4  # of the transformer
    learning_rate: run.Positive = 4e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts
    degrees: run.NonNegative = 10.0  # largest rotation of a view, either way
    scale: run.NonNegative = 0.1  # largest log magnification of a view along each axis, either way
    shift: run.NonNegative = 0.5  # largest shift of a view along each axis, in pixels, either way
    shear: run.NonNegative = 0.1  # largest shear of a view, either way


CLAIMS = tuple(
    run.Claim(
        metric="test/lru_accuracy",
        at_least=bound,
        overrides=overrides,
        protocol=f"{PROTOCOLS['digits']}, a pixel a step, 64 steps {order}; linear recurrent units; one seed",
        reference="in the same run, without an order: 3 nearest neighbours 0.967, softmax regression 0.897",
    )
    for bound, overrides, order in (
        (0.93, {}, "row after row"),
        (0.895, {"order": "permuted", "models": ("lru",)}, "in an order drawn once"),
    )
)
SMOKE = {"num_steps": 2, "batch_size": 8, "width": 8, "num_layers": 1, "num_heads": 2, "models": ("lru",)}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures to learn from, and to test."""
    causal.require_kinds(cfg.models)
    return data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """The networks side by side, and how they do on the whole test split."""
    train, test = loaded
    names, first = train.class_names, cfg.models[0]
    order = scanned.scan_order(math.prod(test.example_shape[:2]), cfg.order)
    of = {"num_layers": cfg.num_layers, "width": cfg.width, "num_heads": cfg.num_heads, "summary": cfg.summary}
    of |= {"length": len(order), "memory": cfg.memory, "dtype": jnp.dtype(cfg.precision)}
    models = {kind: causal.causal_classifier(kind, train.num_classes, **of) for kind in cfg.models}
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    prepare = scanned.scanned_views(order, functools.partial(data.views.random_affine, **cfg.view))
    slopes = (show.Line(f"reach/{kind}_slope", causal.NAMES[kind]) for kind in models)
    plain = {"3 nearest neighbours {:.3f}": "plain/nearest", "softmax regression {:.3f}": "plain/linear"}
    return run.Experiment(
        beside({kind: classifier(model, tx, prepare=prepare, axis=axis) for kind, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": scanned.judged_scans(models, test, order)},
        final={"plain": scanned.without_order(train, test), "reach": scanned.far_seeing(models, test, order)},
        offers={
            **models,
            "predict": run.Offer.of_pictures(scanned.says_of_pictures(models[first], first, order), train),
        },
        figures=show.figures(
            learning=show.curves(
                {causal.NAMES[kind]: f"test/{kind}_accuracy" for kind in models},
                y_label="accuracy",
                title=f"Test pictures, a pixel a step ({len(order)} steps, {cfg.order})",
                **{"references": plain, "settled": 0.25},
            ),
            reach=show.page(
                [show.lines(np.arange(len(order))[::-1], *slopes, y_scale="log", title="What the answer hangs on")],
                **{"size": (4.4, 3.0), "x_label": "steps before the last pixel", "y_label": "|gradient| (nats)"},
            ),
            confusion=show.of(show.confusion, f"test/{first}_probability", label=test.arrays["label"], names=names),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
