"""Populations on their way from a wide density to a banana, a funnel and two modes: their draws, and the normaliser.

Annealed importance sampling gathers weights along a fixed schedule, a sequential Monte-Carlo sampler resamples along
one that it finds. Neal 2001, arXiv:physics/9803008; Del Moral, Doucet & Jasra 2006, JRSS B 68(3). A run's steps are
those of the annealing. The densities are normalised: log Z, which both estimate, is 0.

    python -m experiments.sampling.anneal
    >>> draws = run.load("runs/sampling/anneal").sample(16)

Expected: log Z of annealing within 4 standard errors of 0, of which `z` is the number. Half a minute on two cores, most
for compilation.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import run, show
from adl.core import Algorithm, Key, Mean, PyTree, beside, in_turn, reporting
from adl.sampling import hmc, metropolis, targets
from adl.sampling.annealed import annealed_importance
from adl.sampling.chains import any_one
from adl.sampling.importance import Weighted, log_normaliser, log_normaliser_error, resampled
from adl.sampling.smc import smc_sampler
from adl.sampling.targets import PLANE

WIDE = targets.isotropic(6.0)  # the reference
TITLES = {"annealed": "annealed\nimportance", "smc": "SMC"}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 500  # of the annealing
    steps_per_call: run.Count = 50
    log_every: run.Count = 50
    methods: tuple[Literal["annealed", "smc"], ...] = ("annealed", "smc")  # which samplers
    num_particles: run.Split = 1024  # split over devices
    step_size: run.Positive = 0.4  # of the trajectories of --methods smc, in standard deviations of the population


CLAIMS = tuple(
    run.Claim(
        f"draws/annealed_{target}_z",
        f"{target}: log of the mean weight of 1,024 annealed particles, 500 steps, in standard errors",
        at_most=4.0,
        reference="closed form: the density is normalised, log Z = 0",
    )
    for target in PLANE
)
SMOKE = {"num_steps": 4, "num_particles": 16}
SWEEP = "step_size=0.3,0.4"  # of the tests


def load(cfg: Config) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The densities' heights, for the figure."""
    return {name: targets.heights(name) for name in PLANE}


def build(cfg: Config, loaded: dict[str, tuple[np.ndarray, ...]], axis: str | None) -> run.Experiment:
    """Both populations on every target at once, and at the end their draws."""
    make = {name: functools.partial(sampler, cfg, axis, name) for name in cfg.methods}
    every = beside({name: in_turn(one, jnp.arange(len(PLANE))) for name, one in make.items()})

    def draws(key, state):
        found: dict[str, Any] = {}
        for own, name in zip(jax.random.split(key, len(make)), make, strict=True):
            position, told = population(own, name, state[name])
            for i, target in enumerate(PLANE):
                found[f"{name}_{target}"] = position[i]
                found |= {f"{name}_{target}_{what}": Mean.of(values[i]) for what, values in told.items()}
        return found

    one = any_one(lambda key, state: population(key, cfg.methods[0], state[cfg.methods[0]])[0], axis=1)
    return run.Experiment(
        reporting(every, "potential", "*_acceptance"),
        final={"draws": draws},
        offers={"sample": run.Offer(one, run.Repeats(), run.Cells())},  # of the first method: x and y on each target
        figures=show.figures(draws=show.clouds({name: TITLES[name] for name in cfg.methods}, loaded)),
    )


def sampler(cfg: Config, axis: str | None, name: str, which: Array) -> Algorithm:
    """One method on target number `which` `[]`."""
    target = targets.rounded(targets.one_of([t.log_density for t in PLANE.values()], which), cfg.precision)

    def start(key):
        return WIDE.std[0] * jax.random.normal(key, (2,))

    if name == "smc":
        move = functools.partial(hmc.transition, num_leapfrog=4)
        of = {"num_particles": cfg.num_particles, "step_size": cfg.step_size, "axis": axis}
        return smc_sampler(target, start, log_reference=WIDE.log_density, move=move, **of)
    schedule = jnp.linspace(0, 1, cfg.num_steps + 1) ** 2
    return annealed_importance(
        target,
        start,
        log_reference=WIDE.log_density,
        inverse_temperatures=schedule,
        move=metropolis.transition,
        num_chains=cfg.num_particles,
        step_size=lambda b: 3.0 - 2.0 * b,
    )


def population(key: Key, name: str, state: PyTree) -> tuple[Array, dict[str, Array]]:
    """Draws `[3, N, 2]` that count alike, and what is known `[3]` of the normaliser."""
    if name == "smc":
        return state.position, {"log_z": state.log_normaliser}

    def one(key, position, log_weight):
        return resampled(key, Weighted(position, log_weight), len(position))

    position = jax.vmap(one)(jax.random.split(key, len(PLANE)), state.position, state.log_weight)
    log_z = jax.vmap(log_normaliser)(state.log_weight)
    return position, {"log_z": log_z, "z": jnp.abs(log_z) / jax.vmap(log_normaliser_error)(state.log_weight)}


if __name__ == "__main__":
    run.main(__name__)
