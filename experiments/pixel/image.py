"""Handwritten digits, pixel by pixel: how many bits a picture takes, pictures drawn, and pictures completed.

A masked perceptron (Germain et al. 2015, arXiv:1502.03509), PixelCNN (van den Oord et al. 2016, arXiv:1601.06759), the
gated one (arXiv:1606.05328), and a transformer over pixels (Chen et al. 2020, ICML). Likelihoods are exact, of the
levels themselves: bits a dimension of digits, which have 17 levels, are beside 4.09 of uniform noise, and never beside
those of pictures of 256 levels.

    python -m experiments.pixel --num_seeds 3
    >>> pictures = run.load("runs/pixel/image").sample(3)
    python -m experiments.pixel --model transformer --classes seen
    python -m experiments.pixel --dataset mnist --likelihood logistics

Expected on digits, means of 3 seeds: 1.760 bits a dimension, where each pixel alone takes 2.39 and one Gaussian up to
2.94; four minutes for all three on 2 busy cores, one for one on idle ones. Of lower halves drawn, 3-NN recognises 0.75,
no more than of their mean (0.76) and fewer than of the test pictures (0.97): several digits begin alike. In 1,000 steps
of one seed MADE came to 2.14. MNIST, of 256 levels, wants a GPU: a reference of 0.83, not measured here.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.measure.levels import baseline_bits, known
from adl.pixel import evaluation, likelihood, networks
from adl.pixel.raster import pixelwise


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image", and "label" where classes are not unknown
    num_steps: run.Count = 1500
    batch_size: run.Count = 64
    eval_every: run.Count = 250
    learning_rate: run.Positive = 2e-3  # of Adam, the highest
    best: str = "test/bits"
    model: networks.Kind = "gated"  # what says which levels come next
    likelihood: Literal["categories", "logistics"] = "categories"  # of a level: a log-odds each, or a mixture
    num_components: run.Count = 5  # of the mixture of logistics
    levels: run.Natural = 0  # that pixels have; 0: those of the pictures (digits 17, most 256)
    classes: Literal["judge", "seen", "unknown"] = (
        "judge"  # seen: by the model; judge: by 3-NN alone; or there are none
    )
    hidden: run.Widths = (512, 512)  # widths of the hidden layers (made)
    width: run.Count = 32  # features of a layer (pixelcnn, gated, transformer)
    num_layers: run.Count = 5  # convolutions, blocks (pixelcnn, gated, transformer)
    num_heads: run.Count = 4  # of attention (transformer)
    dropout: run.Rate = 0.2  # of what layers make (pixelcnn, gated, transformer)
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated
    num_samples: run.Count = 1437  # compared with as many training images; all, where there are fewer: 1,437 of digits


CLAIMS = (
    run.Claim(
        **{"metric": "test/bits", "at_most": 1.765},
        overrides={"num_seeds": 3},
        protocol=f"{PROTOCOLS['digits']}; exact bits a dimension of 17 levels, mean of 3 seeds, averaged parameters",
        reference="on the same data: uniform 4.09, one Gaussian at most 2.94, each pixel alone 2.39",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "width": 4, "num_layers": 1},
    **{"num_samples": 32, "train_split": "train[:100]", "test_split": "test[:20]"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, dict[str, float]]:
    """Pictures to learn from, and to test; and the bits of baselines."""
    wanted = ("image",) if cfg.classes == "unknown" else ("image", "label")
    train, test = data.splits(cfg.dataset, *wanted, of=cfg.parts, **cfg.source)
    data.image.require_different(train)
    levels = data.image.num_levels(train, test, asked=cfg.levels)
    seen = [np.asarray(data.image.level_of(split.column("image"), levels=levels)) for split in (train, test)]
    return train, test, baseline_bits(*seen, num_levels=levels)


def build(cfg: Config, loaded: tuple[data.Split, data.Split, dict[str, float]], axis: str | None) -> run.Experiment:
    """A model of the data set's pixels, its bits on the test split, what it draws and how it completes."""
    train, test, bits = loaded
    levels, shape, is_seen = round(2 ** bits["uniform"]), train.example_shape, cfg.classes == "seen"
    is_free = cfg.likelihood == "categories"
    told = likelihood.categories(levels) if is_free else likelihood.logistic_mixture(levels, cfg.num_components)
    of = {"num_levels": levels, "num_outputs": told.num_outputs, "num_classes": train.num_classes if is_seen else 0}
    of |= {name: getattr(cfg, name) for name in networks.OPTIONS[cfg.model]}
    model = networks.NETWORKS[cfg.model](shape, **of, dtype=jnp.dtype(cfg.precision))
    painter = evaluation.Painter(model, told, shape, is_seen)

    def prepare(key, batch):
        x = data.image.level_of(batch["image"], levels=levels)
        return (x, batch["label"]) if is_seen else (x,)

    few, reference = test.first(360).arrays, train.first(cfg.num_samples).arrays
    pairs = ((prepare(None, one)[0], one.get("label", np.zeros(len(one["image"]), int))) for one in (few, reference))
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps), clip=1.0)
    batches = data.padded(test, max(1, min(120, 2**25 // (told.num_outputs * math.prod(shape)))))
    draw = run.Offer(painter.one, run.Repeats(), run.Images(shape))
    return run.Experiment(
        pixelwise(model, tx, likelihood=told, prepare=prepare, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(evaluation.picture_bits(model, told, prepare), batches, len(test))},
        final={
            "baseline": known(bits),
            "samples": painter.judged(data.Split(reference, train.info)),
            "completion": painter.completions(*itertools.chain(*pairs)),
        },
        offers={"model": model, "sample": run.Offer.of_classes(painter.draw, train) if is_seen else draw},
        figures=show.figures(
            bits=show.curves(
                {"test": "test/bits", "training": "train/bits"},
                **{"y_label": f"bits a dimension, {levels} levels", "title": "Likelihood"},
                references={f"{name} {{:.2f}}": value for name, value in bits.items()},
            ),
            samples=show.by_class(train.class_names) if is_seen else show.pixel_samples,
            completion=show.completed_halves,
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
