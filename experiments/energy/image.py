"""Handwritten digits out of an energy: a network says how unlikely a picture is of a class, and chains go down.

Persistent contrastive divergence with a replay buffer of which a few chains restart (Du & Mordatch 2019,
arXiv:1903.08689), one energy a class (Grathwohl et al. 2020, arXiv:1912.03263). Langevin chains at a low temperature T
sample p(x|y) proportional to exp(-E(x, y) / T).

    python -m experiments.energy.image
    >>> pictures = run.load("runs/energy/image").sample([3, 1, 4])
    python -m experiments.energy.image --dataset mnist

Expected on digits: of the samples a nearest neighbour recognises 0.94, of the data 0.29 (0.5 each: cannot be told
apart), class accuracy 1.00, Frechet distance on pixels 0.10; within 4 minutes on two CPU cores. Samples are more
typical than the data, among which they lie close together: chains that come from noise end at energies below those of
training digits.
"""

import functools
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl import data, run, show
from adl.core import Probe, optimizer
from adl.energy.contrastive_divergence import Points, persistent_contrastive_divergence
from adl.energy.evaluation import Descent
from adl.energy.tilt import Tilted
from adl.latent import rows
from adl.measure import samples
from adl.nn.mlp import MLP, flat
from adl.sampling.langevin import langevin

PATHS = 5  # classes whose chains are drawn on their way
STOPS = 12  # pictures of a chain's way
ENERGIES = {"data": "train/data_energy", "chains": "train/sample_energy"}  # which learning keeps together


@dataclass(frozen=True)
class Config(run.Chained, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 4000
    batch_size: run.Count = 128
    hidden: run.Widths = (512, 512)  # widths of the energy's hidden layers
    learning_rate: run.Positive = 5e-4  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.998  # decay of the parameter average, from which samples are drawn
    sample_steps: Annotated[run.Count, run.multiple_of(24)] = 600  # of Langevin, noise to sample; chains live for 400
    num_samples: run.Count = 1437  # compared with as many training images; all, where there are fewer: 1,437 of digits


PROTOCOL = "digits, one seed, by 600 Langevin steps from noise on averaged parameters"
BOUNDS = {
    "two_sample_data": {"at_least": 0.25, "at_most": 0.55},
    "two_sample_samples": {"at_least": 0.45, "at_most": 0.97},
    "class_accuracy": {"at_least": 0.98},
}
CLAIMS = tuple(
    run.Claim(
        **{"metric": f"samples/{name}", **bound},
        protocol=f"{PROTOCOL}; {samples.PROTOCOL[name]}",
        reference=samples.DIGITS[name],
    )
    for name, bound in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_chains": 32, "langevin_steps": 3},
    **{"sample_steps": 24, "num_samples": 64, "train_split": "train[:100]", "test_split": "test[:20]"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, Probe]:
    """Pictures to learn from, and to test; and the rows of every table."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, **cfg.source)
    return train, test, rows.judged(data.image.require_different(train), train.first(cfg.num_samples))


def build(cfg: Config, loaded: tuple[data.Split, data.Split, Probe], axis: str | None) -> run.Experiment:
    """An energy of the data set's pictures, and where chains on it arrive."""
    train = loaded[0]
    reference, held_out = (split.first(cfg.num_samples) for split in loaded[:2])
    features = MLP((*cfg.hidden, train.num_classes), activation=nn.silu, dtype=jnp.dtype(cfg.precision))
    model = Tilted(nn.Sequential([flat, features]), cfg.std)
    walk = functools.partial(langevin, **cfg.walk)

    def prepare(key, batch):
        pixels = data.image.symmetric(batch["image"])
        return Points(pixels + cfg.noise * jax.random.normal(key, pixels.shape), (batch["label"],))

    algorithm = persistent_contrastive_divergence(
        model,
        optimizer.adam(cfg.learning_rate, optimizer.cosine(cfg.num_steps), clip=1.0, average=cfg.ema),
        sampler=functools.partial(walk, num_steps=cfg.langevin_steps),
        **cfg.chains,
        prepare=prepare,
        axis=axis,
    )
    descent = Descent(model, walk, cfg.sample_steps, train.example_shape, data.image.from_symmetric)
    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        final={
            "samples": samples.judged_samples(descent.draw, reference),
            "plain": loaded[2],
            "energies": descent.energies(reference.arrays, held_out.arrays, prepare),
            "path": descent.path(train.some_classes(PATHS), num_stops=STOPS),
        },
        offers={"model": model, "sampler": descent, "sample": run.Offer.of_classes(descent.draw, train)},
        figures=show.figures(
            samples=show.by_class(train.class_names),
            nearest=show.nearest(train.class_names),
            path=show.descent(train.class_names),
            energies=show.energies,
            training=show.curves(ENERGIES, y_label="E(x, y)", title="Energies in training"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
