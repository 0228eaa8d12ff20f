"""Things found in rendered scenes by a set of queries: each says one thing and where it is, or that there is nothing.

DETR (Carion et al. 2020, arXiv:2005.12872): convolutions, a transformer, and a loss of the cheapest assignment of
objects to queries, which is found in the graph. It learns far more slowly than CenterNet (`vision.detect`): what its
queries search is not given but learned.

    python -m experiments.vision.detr
    >>> boxes = run.load("runs/vision/detr").predict(pictures)
    python -m experiments.vision.detr --dataset bccd --picture_size 120x160 --picture_fit resize --num_queries 40

Expected on scenes/standard, one seed: mAP@.5 0.466 and mAP over 0.5 to 0.95 0.241; person 0.93, cat 0.73, digit 0.28.
CenterNet, `vision.detect`, has 0.87 after as many steps. Four minutes on 2 cores.
"""

import functools
from dataclasses import dataclass

import jax.numpy as jnp

from adl import data, run, show
from adl.core import optimizer
from adl.data.boxed_views import random_flips
from adl.data.boxes import boxed
from adl.measure.detection import Detections, average_precisions, surest_boxes
from adl.nn.resnet import BatchNorm
from adl.vision.detr import DETR, SetWeights, answered, detr
from adl.vision.objects import boxed_pictures

LOSS = {"classes (nats)": "train/surprise", "boxes (1 - GIoU)": "train/box"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claim is about."""

    dataset: str = "scenes/standard"  # TFDS's "objects", or path: COCO's folder; "image", "box", "label", "present"
    num_steps: run.Count = 2000
    batch_size: run.Split = 16
    eval_every: run.Count = 1000
    best: str = "test/map50:max"
    learning_rate: run.Positive = 1e-3  # of AdamW: the peak, after a twentieth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 1e-2  # of matrices and kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which finds
    num_queries: run.Count = 16  # at least the most objects of a picture
    channels: run.Widths = (32, 64, 96)  # of the residual stages, each at half the resolution of the one before
    cell: run.Count = 2  # pixels of a side of what the first convolution sees as one
    width: run.Count = 96  # of the transformer, a multiple of the number of heads
    num_heads: run.Count = 4  # of every attention; divides the width
    num_encoder_layers: run.Count = 1  # of the transformer, over the picture
    num_decoder_layers: run.Count = 3  # of the transformer, over the queries
    label_weight: run.NonNegative = 1.0  # of classes, in the loss and in the matching
    l1_weight: run.NonNegative = 5.0  # of the distance of boxes
    overlap_weight: run.NonNegative = 2.0  # of 1 - GIoU
    nothing_weight: run.NonNegative = 0.1  # of queries that should have said that there is nothing
    num_slots: run.Natural = 0  # objects that a picture has room for; 0: as many as the most that one has


CLAIMS = (
    run.Claim(
        metric="test/map50",
        at_least=0.42,
        protocol="scenes/standard: 8,000 to train, all 1,000 to test; mean over the eight classes of the average "
        "precision at an overlap of 0.5; one seed",
        reference="CenterNet, of about as many operations: vision.detect",
    ),
)
SMOKE = {
    **{"dataset": "scenes/sample", "num_steps": 2, "batch_size": 8, "channels": (8,), "cell": 16, "width": 16},
    **{"num_queries": 8, "num_decoder_layers": 1, "num_heads": 2},
}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures to learn from, and to test."""
    return boxed(cfg.dataset, of=cfg.parts, num_slots=cfg.num_slots, **cfg.source)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A detector of the data set's objects, and how it does on the whole test split."""
    train, test = loaded
    names = train.class_names
    model = DETR(
        train.num_classes,
        cfg.num_queries,
        cfg.channels,
        cfg.cell,
        width=cfg.width,
        num_heads=cfg.num_heads,
        num_encoder_layers=cfg.num_encoder_layers,
        num_decoder_layers=cfg.num_decoder_layers,
        norm=functools.partial(BatchNorm, axis=axis),
        dtype=jnp.dtype(cfg.precision),
    )
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 20, 1))

    def detect(key, learner, image) -> Detections:
        return answered(model.apply(learner.averaged, data.image.symmetric(image)))

    algorithm = detr(
        model,
        optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices),
        weights=SetWeights(cfg.label_weight, cfg.l1_weight, cfg.overlap_weight, cfg.nothing_weight),
        prepare=boxed_pictures(data.image.symmetric, random_flips),
        axis=axis,
    )
    predict = run.Offer(lambda *of: surest_boxes(detect(*of)), run.Images(train.example_shape), run.Boxes(names))
    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        probes={"test": average_precisions(detect, test)},
        offers={"model": model, "predict": predict},
        figures=show.figures(
            loss=show.curves(LOSS, y_label="of the last layer", title="Loss"),
            **show.detection(test.arrays, names),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
