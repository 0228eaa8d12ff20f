"""Densities of the plane as energies: learned from their own chains, judged by likelihoods that are exact in 2-D.

Persistent contrastive divergence (Tieleman 2008, ICML) with Langevin chains. The plane is small enough to integrate
exp(-E) over it, so the test likelihood is exact, and so is the density that the points were drawn from: the gap
between both is KL(true || model). Beside it: a kernel density of these points, at the best bandwidth on the test.

    python -m experiments.energy
    >>> heights = run.load("runs/energy/density").log_density(places)
    python -m experiments.energy --dataset eight_gaussians

Expected: KL 0.028 over 5 seeds (kernel density 0.060); a minute on two CPU cores. Modes that chains do not travel
between are harder: 0.04 for eight_gaussians (0.042), two_moons 0.03 (0.027), spirals 0.13 (0.051), rings 0.21 (0.062).
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl import data, run, show
from adl.core import optimizer
from adl.energy.contrastive_divergence import Points, persistent_contrastive_divergence
from adl.energy.tilt import Tilted
from adl.measure import plane
from adl.nn.mlp import MLP
from adl.sampling.langevin import langevin

NUM_TEST = 10000
SIDE, DRAWN = 6.0, 4.2  # of the plane: it is integrated over [-6, 6] x [-6, 6]; in figures
BANDWIDTHS = np.geomspace(0.03, 0.3, 12)  # tried for the kernel density
PLACES = run.Cells("xy"), run.Cells()  # what a density takes, and what it gives
ENERGIES = {"data": "train/data_energy", "chains": "train/sample_energy"}  # which learning keeps together


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claim is about."""

    dataset: Literal["eight_gaussians", "two_moons", "rings", "spirals", "swiss_roll"] = "swiss_roll"  # of toys
    num_steps: run.Count = 6000
    batch_size: run.Count = 256
    steps_per_call: run.Count = 20
    eval_every: run.Count = 500
    checkpoint_every: run.Count = 4000
    num_train: run.Points = 2000  # points to learn from; 10,000 others to test
    noise: run.Positive = 0.2  # standard deviation of the Gaussian noise around the toy's centers or curves
    hidden: run.Widths = (128, 128)  # widths of the energy's hidden layers
    std: run.Positive = 2.0  # of the Gaussian that the network tilts, and of the noise in which chains begin
    num_chains: run.Split = 1024  # that persist, split over devices
    restart: run.Fraction = 0.0  # share of the moved chains that begin anew: one that has yet to arrive is no sample
    langevin_steps: run.Count = 20  # of a chain that is moved
    step_size: run.Positive = 0.1  # of Langevin, in units of the plane: half the noise, the finest scale there is
    learning_rate: run.Positive = 2e-3  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.9995  # decay of the parameter average, which is evaluated


CLAIMS = (
    run.Claim(
        **{"metric": "test/kl", "at_most": 0.0596},
        overrides={"num_seeds": 5},
        protocol="swiss roll with noise 0.2; 2,000 points to learn from, 10,000 to test; KL(true || model) in nats, "
        "exp(-E) integrated over the plane; averaged parameters, mean of 5 seeds",
        reference="kernel density estimate of the same points, at the best of 12 bandwidths on the test points: 0.0596",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_chains": 32, "langevin_steps": 3, "num_train": 64}


def load(cfg: Config) -> plane.ToyPoints:
    """Points to learn, points to test, and how likely these are."""
    draw = getattr(data.toys, cfg.dataset)
    return plane.toy_points(draw, cfg.num_train, NUM_TEST, noise=cfg.noise, limit=SIDE)


def build(cfg: Config, loaded: plane.ToyPoints, axis: str | None) -> run.Experiment:
    """An energy of the plane, its exact likelihood, and where its chains are."""
    model = Tilted(MLP((*cfg.hidden, 1), activation=nn.silu, dtype=jnp.dtype(cfg.precision)), cfg.std)
    algorithm = persistent_contrastive_divergence(
        model,
        optimizer.adam(cfg.learning_rate, optimizer.cosine(cfg.num_steps), average=cfg.ema),
        sampler=functools.partial(langevin, step_size=cfg.step_size, num_steps=cfg.langevin_steps),
        num_chains=cfg.num_chains,
        restart=cfg.restart,
        noise=lambda key, shape: cfg.std * jax.random.normal(key, shape),
        prepare=lambda key, batch: Points(batch["x"]),
        axis=axis,
    )

    def log_density(state, x):
        return -model.apply(state.learner.averaged, x)

    seen = {"limit": SIDE, "points": lambda state: state.chains.x}
    return run.Experiment(
        algorithm,
        data.shuffled(data.Split({"x": loaded.train}), cfg.batch_size),
        probes={"test": plane.likelihood(log_density, loaded.test, loaded.log_test, limit=SIDE)},
        final={
            "density": plane.density_map(log_density, loaded.log_plane, **seen),
            "kernel": plane.kernel_density(loaded.train, loaded.test, loaded.log_test, bandwidths=BANDWIDTHS),
        },
        offers={"model": model, "log_density": run.Offer(lambda key, *of: log_density(*of), *PLACES)},
        figures=show.figures(
            density=show.densities(limit=SIDE, drawn=DRAWN),
            likelihood=show.curves(
                {"model": "test/nll"},
                **{"title": "Exact test likelihood", "y_label": "-log p(x) (nats a point)", "settled": 1 / 8},
                references={"entropy of the truth": "test/entropy", "kernel density": "kernel/nll"},
            ),
            energy=show.curves(ENERGIES, y_label="E (nats, up to a constant)", title="Energies in training"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
