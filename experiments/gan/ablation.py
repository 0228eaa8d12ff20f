"""What a game over digits owes to its networks: perceptrons against convolutions, and how the class comes in.

Six games side by side on the same batches: perceptrons; a convolutional generator, or discriminator, or both, of about
as many parameters; the class named by the discriminator instead of told to it (ACGAN, Odena et al. 2017,
arXiv:1610.09585); and DCGAN (Radford et al. 2016, arXiv:1511.06434), which normalises by the batch. All but it have the
R1 penalty (Mescheder et al. 2018, arXiv:1801.04406) and projection (Miyato & Koyama 2018, arXiv:1802.05637). Samples
are judged beside training pictures, which no model need surpass; the reference is the test split.

    python -m experiments.gan.ablation --num_seeds 3
    >>> pictures = run.load("runs/gan/ablation").sample([3, 1, 4])

Measured on digits, means of 3 seeds: Frechet distances in random features of 0.32 to 0.33 by all four networks (0.32 by
training pictures); of test pictures 0.68 to 0.72 are within reach (of training pictures 0.83). Naming classes has 0.59,
DCGAN 0.14, and 0.00, a picture a class, at its paper's rate (2e-4, --beta1 0.5). Seven minutes on 2 busy cores.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Algorithm, BadInput, Key, PyTree, beside, optimizer
from adl.gan import heads, networks, penalty
from adl.gan.adversarial import Players, gan
from adl.gan.auxiliary import acgan
from adl.gan.dcgan import deep_convolutions
from adl.measure.pictures import random_features
from adl.measure.side_by_side import judged_together, training_pictures

Game = Literal["mlp", "conv_gen", "conv_disc", "conv", "acgan", "dcgan"]
TITLES = {
    "mlp": "perceptrons",
    "conv_gen": "convolutional generator",
    "conv_disc": "convolutional judge",
    "conv": "both convolutional",
    "acgan": "perceptrons, class named",
    "dcgan": "DCGAN",
}


@dataclass(frozen=True)
class Config(run.Pictured, run.Parts, run.Config):
    """The default is a run of the claims, of one seed."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    games: tuple[Game, ...] = tuple(TITLES)  # that are played
    num_steps: run.Count = 2000  # updates of each player
    batch_size: run.Count = 64
    eval_every: run.Count = 1000
    steps_per_call: run.Count = 10
    hidden: run.Widths = (256, 256)  # widths of the hidden layers of perceptrons
    width: run.Eights = 24  # channels at full resolution of convolutions
    latent_dim: run.Count = 32  # size of the noise
    penalty_weight: run.NonNegative = 1.0  # of R1; pixels are in [-1, 1]
    learning_rate: run.Positive = 1e-3  # of Adam, all players
    beta1: run.Rate = 0.0  # of Adam
    beta2: run.Rate = 0.99  # of Adam
    ema: run.Rate = 0.998  # decay of the generators' parameter average, from which samples are drawn
    num_samples: Annotated[run.Count, run.Range(low=3)] = 360  # and test pictures; all, where there are fewer


PROTOCOL = "digits, mean of 3 seeds, averaged parameters, 2,000 updates; 360 samples beside 360 test pictures; "
WITHIN = "share of test pictures within reach of samples, in random features"
BOUNDS = {  # with what training pictures have
    "mlp_frechet_features": ({"at_most": 0.33}, "Frechet distance in random features", "0.319"),
    "conv_recall_features": ({"at_least": 0.65}, WITHIN, "0.825"),
    "acgan_recall_features": ({"at_most": 0.64}, WITHIN, "0.825"),
    "dcgan_recall_features": ({"at_most": 0.18}, WITHIN, "0.825"),
}
CLAIMS = tuple(
    run.Claim(f"compare/{name}", PROTOCOL + what, {"num_seeds": 3}, **bound, reference=f"training pictures: {real}")
    for name, (bound, what, real) in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "games": ("mlp", "acgan"), "hidden": (16,), "latent_dim": 4},
    **{"num_samples": 24, "train_split": "train[:100]", "test_split": "test[:24]"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, np.ndarray]:
    """Pictures to learn from and to test, and as many training pictures, of the same classes."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, **cfg.source)
    train, test = data.image.require_different(train), test.first(cfg.num_samples)
    if not cfg.games or len(test) < 3:
        of = f"--games: at least one of {', '.join(TITLES)}, or nothing is played"
        raise BadInput(of if not cfg.games else f"--test_split {cfg.test_split}: {len(test)} pictures; 3 or more judge")
    return train, test, training_pictures(train, test.column("label"))


def build(cfg: Config, loaded: tuple[data.Split, data.Split, np.ndarray], axis: str | None) -> run.Experiment:
    """The games, and what their generators make."""
    train, test, real = loaded
    shape, noise = train.example_shape, lambda key, size: jax.random.normal(key, (size, cfg.latent_dim))
    models = players(cfg, shape, train.num_classes, axis)

    def draw(name: str, key: Key, state: PyTree, label: Array) -> Array:
        made = models[name].gen.apply(state[name].gen.averaged, noise(key, len(label)), label)
        return data.image.from_symmetric(made)

    draws = {name: functools.partial(draw, name) for name in models}
    losses = {TITLES[name]: f"train/{name}_loss" for name in models}
    features, names = {"features": random_features(shape)}, ["training pictures", *(TITLES[name] for name in models)]
    return run.Experiment(
        beside({name: game(cfg, name, model, axis) for name, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        final={"compare": judged_together({"training": real}, test, train, features=features, draws=draws)},
        offers={"models": models, "sample": run.Offer.of_classes(draws[cfg.games[0]], train)},
        figures=show.figures(
            samples=show.compared_samples(names),
            numbers=show.compared_numbers(["training", *models], {}, titles=names),
            loss=show.curves(losses, y_label="loss of the discriminator", title="Games"),
        ),
    )


def players(cfg: Config, shape: tuple[int, ...], num_classes: int, axis: str | None) -> dict[str, Players]:
    """The networks of each game."""
    of = {"shape": shape, "num_classes": num_classes, "dtype": jnp.dtype(cfg.precision)}
    mlp, conv = networks.perceptrons(hidden=cfg.hidden, **of), networks.convolutions(width=cfg.width, **of)
    found = {
        "mlp": mlp,
        "conv_gen": Players(conv.gen, mlp.disc),
        "conv_disc": Players(mlp.gen, conv.disc),
        "conv": conv,
        "acgan": networks.perceptrons(hidden=cfg.hidden, head=heads.Auxiliary, **of),
        "dcgan": deep_convolutions(width=cfg.width, axis=axis, **of),
    }
    return {name: found[name] for name in cfg.games}


def game(cfg: Config, name: str, model: Players, axis: str | None) -> Algorithm:
    """One of them."""
    adam = functools.partial(optimizer.adam, cfg.learning_rate, b1=cfg.beta1, b2=cfg.beta2)
    return (acgan if name == "acgan" else gan)(
        model,
        Players(adam(average=cfg.ema), adam()),
        penalties=() if name == "dcgan" else (penalty.r1(cfg.penalty_weight),),
        prepare=lambda key, batch: (data.image.symmetric(batch["image"]), batch["label"]),
        latent_dim=cfg.latent_dim,
        axis=axis,
    )


if __name__ == "__main__":
    run.main(__name__)
