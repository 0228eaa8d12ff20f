"""Handwritten digits out of an energy: a network says how unlikely a picture is of a class, and chains go down.

Persistent contrastive divergence with a replay buffer of which a few chains restart (Du & Mordatch 2019,
arXiv:1903.08689), one energy a class (Grathwohl et al. 2020, arXiv:1912.03263). Langevin chains at a low temperature T
sample p(x|y) proportional to exp(-E(x, y) / T).

    python -m experiments.energy.image
    python -m experiments.energy.image --dataset mnist

Expected on digits: 1-nearest-neighbour two-sample accuracy 0.60 (0.5: cannot be told apart), class accuracy 1.00,
Frechet distance on pixels 0.10; within 4 minutes on two CPU cores. Samples are more typical than the data: chains that
come from noise end at energies below those of training digits.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array, lax
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import average_params
from adl.energy.contrastive_divergence import Points, persistent_contrastive_divergence, score
from adl.energy.tilt import Tilted
from adl.measure.samples import two_sample_test
from adl.nn.mlp import MLP
from adl.sampling.langevin import langevin

DRAWN = 500  # samples whose energies are drawn
PATHS = 5  # classes whose chains are drawn on their way
STOPS = 12  # pictures of a chain's way


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, with "image" and "label"
    num_steps: run.Count = 4000
    batch_size: run.Count = 128
    hidden: tuple[int, ...] = (512, 512)  # widths of the energy's hidden layers
    std: run.Positive = 3.0  # of the Gaussian that the network tilts, in units of pixels in [-1, 1], at temperature 1
    noise: run.NonNegative = 0.03  # standard deviation of the noise on training pixels, which have few levels
    num_chains: run.Count = 1536  # in the buffer, split over devices
    restart: run.Fraction = 0.05  # share of the moved chains that begin anew, in noise
    langevin_steps: run.Count = 20  # of a chain that is moved
    step_size: run.Positive = 1.0  # of Langevin: a step goes half its square down the gradient of the energy
    temperature: run.NonNegative = 4e-4  # of Langevin: a step's noise is step_size * sqrt(temperature) = 0.02
    alpha: run.NonNegative = 0.01  # of energies near 0
    learning_rate: run.Positive = 5e-4  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.998  # decay of the parameter average, from which samples are drawn
    sample_steps: run.Count = (
        600  # of Langevin, from noise to a sample, a multiple of 24; chains live for 400 on average
    )
    num_samples: run.Count = 1437  # compared with as many training images, the first; 1,437 are all of digits


PROTOCOL = (
    "digits, one seed; one sample for each of the 1,437 training images, of its class, from noise by 600 Langevin "
    "steps on averaged parameters; clipped to [0, 1] and rounded to the nearest of the data's 17 grey levels; "
)
CLAIMS = (
    run.Claim(
        metric="samples/two_sample_accuracy",
        at_least=0.45,
        at_most=0.7,
        protocol=PROTOCOL + "leave-one-out 1-NN accuracy of telling samples from training images",
        reference="0.5: cannot be told apart. Memorised digits 0.12, one Gaussian a class 0.73, test digits 0.71",
    ),
    run.Claim(
        metric="samples/class_accuracy",
        at_least=0.98,
        protocol=PROTOCOL + "share that 3-NN on the training images recognises as the class asked for",
        reference="the training images themselves, each left out in its turn: 0.989",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_chains": 32, "langevin_steps": 3},
    **{"sample_steps": 24, "num_samples": 64},
}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An energy of the data set's pictures, and where chains on it arrive."""
    train, test = data.splits(cfg.dataset, "image", "label", data_dir=cfg.data_dir)
    reference, held_out = (split.take(np.arange(min(cfg.num_samples, len(split)))) for split in (train, test))
    label, image = jnp.asarray(reference["label"]), data.image.unit(jnp.asarray(reference["image"]))
    network = nn.Sequential(
        [
            lambda x: x.reshape(len(x), -1),
            MLP((*cfg.hidden, train.num_classes), activation=nn.silu, dtype=jnp.dtype(cfg.precision)),
        ]
    )
    model = Tilted(network, cfg.std)
    rate = optax.cosine_decay_schedule(1.0, cfg.num_steps)
    walk = functools.partial(langevin, step_size=cfg.step_size, temperature=cfg.temperature)

    def prepare(key, batch):
        pixels = data.image.symmetric(batch["image"])
        return Points(pixels + cfg.noise * jax.random.normal(key, pixels.shape), (batch["label"],))

    algorithm = persistent_contrastive_divergence(
        model,
        optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.adam(lambda step: cfg.learning_rate * rate(step)),
            average_params(cfg.ema),
        ),
        sampler=functools.partial(walk, num_steps=cfg.langevin_steps),
        num_chains=cfg.num_chains,
        restart=cfg.restart,
        alpha=cfg.alpha,
        prepare=prepare,
        axis=axis,
    )

    def descent(key: Array, state, labels: Array, num_stops: int) -> Array:
        """`[num_stops + 1, B, H, W, C]` chains in noise, and after each stretch of their way."""
        noise_key, key = jax.random.split(key)
        down = score(model, state.learner.averaged, (labels,))

        def stretch(x, key):
            x = walk(key, x, down, num_steps=cfg.sample_steps // num_stops)
            return x, x

        start = jax.random.normal(noise_key, (len(labels), *image.shape[1:]))
        _, path = lax.scan(stretch, start, jax.random.split(key, num_stops))
        return jnp.concatenate([start[None], path])

    def samples(key, state, label):
        return unit(descent(key, state, label, 1)[-1])

    def energies(key, state):
        noise_key, test_key, train_key, key = jax.random.split(key, 4)
        few = label[:DRAWN]
        points = {
            "training digits": prepare(train_key, reference),
            "test digits": prepare(test_key, held_out),
            "samples": Points(descent(key, state, few, 1)[-1], (few,)),
            "noise": Points(jax.random.normal(noise_key, (len(few), *image.shape[1:])), (few,)),
        }
        energies = {name: model.apply(state.learner.averaged, at.x, *at.given) for name, at in points.items()}
        # Of each class the energy has a constant of its own, which says nothing.
        is_class = jax.nn.one_hot(label, train.num_classes)
        constants = energies["training digits"] @ is_class / is_class.sum(0)
        return {name: energies[name] - constants[at.given[0]] for name, at in points.items()}

    def path(key, state):
        labels = jnp.arange(train.num_classes)[:: max(1, train.num_classes // PATHS)][:PATHS]
        return {"grid": unit(descent(key, state, labels, STOPS)).swapaxes(0, 1), "label": labels}

    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        final={
            "samples": two_sample_test(samples, reference["image"] / np.float32(255), reference["label"]),
            "energies": energies,
            "path": path,
        },
        figures=show.figures(
            samples=show.samples,
            nearest=show.nearest,
            path=functools.partial(path_figure, cfg=cfg),
            energies=energies_figure,
            training=training_figure,
        ),
    )


def unit(x: Array) -> Array:
    """From [-1, 1] to [0, 1], clipped."""
    return jnp.clip((x + 1) / 2, 0, 1)


def path_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """Chains on their way down."""
    grid = outcome.arrays["path/grid"]
    return show.image_grid(
        grid,
        row_labels=outcome.arrays["path/label"],
        col_labels=range(0, cfg.sample_steps + 1, cfg.sample_steps // STOPS),
        x_label="Langevin steps",
        y_label="class asked for",
        title="From noise to a digit",
    )


def energies_figure(outcome: run.Outcome) -> Figure:
    """What the energy tells apart, and what it must not: samples, and digits it was and was not trained on."""
    figure, axes = show.panel(size=(5.2, 3.1))
    ax = axes[0, 0]
    names = ("training digits", "test digits", "samples")
    groups = {name: outcome.arrays[f"energies/{name}"] for name in (*names, "noise")}
    # Noise lies far above: its energies would squeeze the others into one bar.
    near = np.concatenate([groups[name] for name in names])
    bins = np.linspace(*np.quantile(near, (0.002, 0.998)), 50)
    for name, color in zip(names, show.COLORS, strict=False):
        ax.hist(groups[name], bins, density=True, histtype="step", color=color, linewidth=1.4, label=name)
    noise = f"noise: {np.mean(groups['noise']):.3g} ± {np.std(groups['noise']):.2g}"
    ax.plot([], [], " ", label=noise)
    ax.set(xlabel="E(x, y), less the mean of the class's training digits", ylabel="density", title="Energies")
    ax.legend(fontsize=8, frameon=False)
    return figure


def training_figure(outcome: run.Outcome) -> Figure:
    """Mean energies of data and of chains, which learning keeps together."""
    return show.curves(
        {"data": "train/data_energy", "chains": "train/sample_energy"},
        y_label="E(x, y)",
        title="Energies in training",
    )(outcome)


if __name__ == "__main__":
    run.main(__name__)
