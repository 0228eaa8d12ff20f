"""Handwritten digits of a class: a conditional variational autoencoder, and what its code holds besides the class.

Sohn et al. 2015 (NIPS). Grey levels are filled up by U[0, 1), and bounds are of log p(x|class), in nats per image.

    python -m experiments.autoencoder.conditional
    >>> pictures = run.load("runs/autoencoder/conditional").sample([3, 1, 4])

Expected, three seeds: a bound of -114.4, where the VAE without the class has -116.0. Mean pictures of latents drawn are
smooth: 3 nearest neighbours name 0.87 of them rightly, and one tells 0.91 of samples and data apart. A minute.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl import data, run, show
from adl.autoencoder import evaluation, pixels
from adl.autoencoder.conditional import conditional_perceptrons, conditional_vae, of_class
from adl.core import Probe, full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.latent import rows
from adl.measure import latents, samples


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 2000
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    latent_dim: run.Count = 10  # size of the code
    hidden: run.Widths = (256, 256)  # widths of the encoder's hidden layers; the decoder mirrors them
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated
    num_samples: run.Count = 1437  # compared with as many training images; all, where there are fewer


CLAIMS = (
    run.Claim(
        **{"metric": "test/elbo", "at_least": -115.0, "overrides": {"num_seeds": 3}},
        protocol=f"{PROTOCOLS['digits']}, as 17 levels plus U[0, 1); sampled bound on log p(x|class), mean of 3 seeds",
        reference="the same networks without the class: -116.0 (autoencoder.vae, 5 seeds); one Gaussian -130.5",
    ),
    run.Claim(
        **{"metric": "samples/class_accuracy", "at_least": 0.82, "overrides": {"num_seeds": 3}},
        protocol=f"digits, mean of 3 seeds, averaged parameters; {samples.PROTOCOL['class_accuracy']}",
        reference=samples.DIGITS["class_accuracy"],
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "latent_dim": 3, "num_samples": 64}
SMOKE |= {"train_split": "train[:100]"}
SHOWN = 12  # classes of which examples are drawn between two latents


Loaded = tuple[data.Split, data.Split, pixels.Pixels, Probe]  # the last of bounds that need no network


def load(cfg: Config) -> Loaded:
    """Pictures to learn from; to test, seen once with a fixed key; how they are seen; and bounds without a network."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    seen = pixels.of_pictures(train, test, asked=cfg.levels)
    x = seen.observe(jax.random.key(0), jnp.asarray(test.arrays["image"]))
    plain = rows.plain_bounds(train, test, asked=cfg.levels)
    return train, data.Split({"x": x, **test.arrays}), seen, plain


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """A conditional VAE, its bound on the test split, and pictures of each class."""
    train, test, seen, plain = loaded
    shape, num_classes = train.example_shape, train.num_classes
    num_outputs = test.arrays["x"].shape[1] * seen.num_outputs
    model = conditional_perceptrons(cfg.latent_dim, cfg.hidden, num_outputs, nn.silu, jnp.dtype(cfg.precision))

    def prepare(key, batch):
        return seen.observe(key, batch["image"]), of_class(batch["label"], num_classes)

    def generate(state, z, label):
        output = model.bind(state.averaged).decode(z, of_class(label, num_classes))
        return seen.mean(output).reshape(-1, *shape)

    def draw(key, state, label):
        return generate(state, jax.random.normal(key, (len(label), cfg.latent_dim)), label)

    bound = evaluation.conditional_bounds(model, seen.likelihood, num_classes)
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    return run.Experiment(
        conditional_vae(model, tx, likelihood=seen.likelihood, prepare=prepare, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(bound, data.padded(test.require("x", "label"), 500), len(test))},
        final={
            "baseline": plain,
            "samples": samples.judged_samples(draw, train.first(cfg.num_samples)),
            "arc": latents.arc(generate, cfg.latent_dim, train.some_classes(SHOWN)),
        },
        offers={"model": model, "sample": run.Offer.of_classes(draw, train)},
        figures=figures(train),
    )


def figures(train: data.Split) -> dict[str, Any]:
    """The bound, and pictures of each class: drawn, beside the nearest of the data, and along an arc of codes."""
    return show.figures(
        bound=show.curves(
            {"test": "test/elbo", "training": "train/elbo"},
            **{"y_label": "nats per image", "title": "Bound on log p(x|class)", "settled": 0.25},
        ),
        samples=show.by_class(train.class_names),
        nearest=show.nearest(train.class_names),
        interpolation=show.interpolation(train.class_names),
    )


if __name__ == "__main__":
    run.main(__name__)
