"""Transfer: a network that knows other classes learns new ones from 50 examples of each.

A residual network learns half of the classes, or without labels which way up pictures are (`--pretraining rotations`);
then three students learn the other half from few pictures: one from scratch, one with the network's features as they
are (frozen), one that tunes all of it. Yosinski et al. 2014, arXiv:1411.1792; Gidaris et al. 2018, arXiv:1803.07728.

    python -m experiments.vision.finetune --num_seeds 3
    >>> probability = run.load("runs/vision/finetune").predict(pictures)
    python -m experiments.vision.finetune --labels 10
    python -m experiments.vision.finetune --pretraining rotations --tuned_rate 1e-2
    python -m experiments.vision.finetune --published ./resnet-50 --dataset ./photos --tuned_rate 1e-4 --num_steps 300

A published network (a folder as transformers saves it) knows its authors' classes; tuned, it is the run's `published`.

Expected, three seeds: 0.781 tuned, 0.636 from scratch (0.517 of one), 0.555 frozen; two minutes a seed. After rotations
instead of classes, one seed: 0.740 tuned (0.680 at the default rate), 0.327 frozen: rooms tell which way is up.
"""

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl import data, run, show
from adl.core import Algorithm, BadInput, Batches, optimizer
from adl.data.classes import chosen_classes
from adl.nn import resnet
from adl.selfsup.rotations import TURNS, rotation_prediction
from adl.supervised.classification import classifier, views
from adl.supervised.regression import Prepare
from adl.vision import published, transfer

PROTOCOL = "scenes/single: all of classes 0 to 3, then 50 of each of 4 to 7; accuracy on all test pictures of these "
GAINED = f"{PROTOCOL}of the tuned network, less that from scratch; mean of 3 seeds"
WAYS = {"tuned": "test/tuned", "frozen": "test/frozen", "from scratch": "test/scratch"}


@dataclass(frozen=True)
class Config(run.Optimised, run.Views, run.Pictured, run.Parts, run.Config):
    """The default is a run of the claims, of one seed."""

    dataset: str = "scenes/single"  # TFDS name, or path, with "image" and "label" of 4 classes or more
    published: str = ""  # folder of a published network that sees, as transformers saves it; empty: one of our own
    pretraining: Literal["classes", "rotations"] = "classes"  # on the other classes, or all pictures without labels
    labels: run.Count = 50  # examples of each new class
    num_steps: run.Count = 3000
    first_share: run.Share = 0.84  # of the steps: those of the pretraining; of a published network none are
    batch_size: run.Split = 64
    eval_every: run.Count = 100
    steps_per_call: run.Count = 10
    best: str = "test/tuned:max"
    learning_rate: run.Positive = 1e-2  # of AdamW: the peak, before a cosine to 0
    tuned_rate: run.Positive = 3e-3  # the same of what is tuned
    weight_decay: run.NonNegative = 0.05  # of matrices and kernels, times the learning rate
    shift: run.NonNegative = 2.0  # largest shift of a view along each axis, in pixels, either way
    width: run.Eights = 16  # channels of our network's first stage; each stage has twice the last's
    num_stages: run.Count = 3  # of ours; each after the first at half the resolution
    stem_stride: run.Count = 2  # of our network's first convolution


CLAIMS = (run.Claim(metric="test/gain_tuned", at_least=0.02, overrides={"num_seeds": 3}, protocol=GAINED),)
SMALL = {"batch_size": 16, "width": 8, "num_stages": 1, "labels": 8}
SMOKE = {"dataset": "digits", "num_steps": 4, "first_share": 0.5, **SMALL}


class Loaded(NamedTuple):
    """Pictures of both halves of the classes, and the network that is there already."""

    first: data.Split | None  # None: there is a published network
    few: data.Split
    test: data.Split  # of the second half
    names: list[str]  # of its classes
    network: published.Backbone | None


def load(cfg: Config) -> Loaded:
    """The plentiful classes, few examples of the others, and all of their test pictures."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=4, **cfg.source)
    half = train.num_classes // 2
    others, names = range(half, train.num_classes), train.class_names[half:]
    few, test = chosen_classes(train, others, each=cfg.labels), chosen_classes(test, others)
    if cfg.published and cfg.pretraining != "classes":
        raise BadInput(f"--pretraining {cfg.pretraining}: {cfg.published} is trained already; leave one of them out")
    if not cfg.published:
        known = range(train.num_classes if cfg.pretraining == "rotations" else half)
        return Loaded(chosen_classes(train, known), few, test, names, None)
    network = published.load(cfg.published)
    few, test = (data.Split({**of.arrays, "image": network.shaped(of.arrays["image"])}) for of in (few, test))
    return Loaded(None, few, test, names, network)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """The students, beside each other, and what each start gains."""
    network, test, num = loaded.network, loaded.test, len(loaded.names)
    ours = resnet.ResNet(None, tuple(cfg.width << i for i in range(cfg.num_stages)), stem_stride=cfg.stem_stride)
    body, encode = (network.body(axis), network.processor.scaled) if network else (ours, data.image.unit)
    body = body.clone(dtype=jnp.dtype(cfg.precision))
    prepare = views(encode, functools.partial(data.views.random_affine, **cfg.view))
    algorithm, batches = learning(cfg, loaded, body, prepare, axis)

    def predict(key, state, image: Array) -> Array:
        return transfer.told_by(body, num, "tuned", transfer.students_of(state)["tuned"], encode(image))

    def saved(outcome, path):
        return network.retrained(outcome.of("published"), loaded.names).save(path)

    return run.Experiment(
        algorithm,
        batches,
        probes={"test": transfer.gains(body, num, test, encode)},
        final={"published": transfer.tuned_arrays} if network else {},
        offers={"model": body, "predict": run.Offer(predict, run.Images(test.example_shape), run.Choice(loaded.names))},
        figures=show.figures(
            accuracy=show.curves(
                WAYS, y_label="accuracy", title=f"New classes, {cfg.labels} examples each", settled=0.7
            ),
            confusion=show.of(show.confusion, "test/probability", label=test.arrays["label"], names=loaded.names),
        ),
        writes={"published": saved} if network else {},
    )


def learning(cfg: Config, of: Loaded, body: nn.Module, prepare: Prepare, axis: str | None) -> tuple[Algorithm, Batches]:
    """What learns, and from which pictures: those of the pretraining and the few in turn, or the few alone."""
    begun = round(cfg.first_share * cfg.num_steps) if of.first else 0
    rest, num = cfg.num_steps - begun, len(of.names)

    def adam(rate: float, num_steps: int = rest) -> optax.GradientTransformation:
        shape = optimizer.cosine(max(num_steps, 1), warmup=max(num_steps // 10, 1))
        return optimizer.adam(rate, shape, weight_decay=cfg.weight_decay, clip=1.0, mask=optimizer.matrices)

    few, tx = data.shuffled(of.few, cfg.batch_size), adam(cfg.learning_rate)
    how = {"learns": functools.partial(classifier, prepare=prepare, axis=axis), "tuned": adam(cfg.tuned_rate)}
    if of.network:
        return transfer.students(body, tx, num_classes=num, start=of.network.body_variables, **how), few
    how |= {"first": adam(cfg.learning_rate, begun), "periods": (begun, rest)}
    known = of.first.num_classes
    if cfg.pretraining == "rotations":
        known, upright = TURNS, lambda key, batch: prepare(key, batch)[0]
        how["pretrains"] = functools.partial(rotation_prediction, prepare=upright, axis=axis)
    algorithm = transfer.transfer(body, tx, num_classes=(known, num), **how)
    return algorithm, data.alternating([data.shuffled(of.first, cfg.batch_size), few], (begun, rest))


if __name__ == "__main__":
    run.main(__name__)
