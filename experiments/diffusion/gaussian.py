"""Diffusion of a Gaussian, of which all is known: learned score, likelihood and every solver beside closed forms.

Points of the plane, N(m, S), are learned by one of six published choices of process, target and levels; then the score
is compared with the exact one, the exact likelihood of the probability flow (Song et al. 2021, arXiv:2011.13456) with
the density, and samples with the target, by solver and calls of the network: DDIM (Euler), Heun, Runge-Kutta, DDPM
(ancestral), and the reverse stochastic equation.

    python -m experiments.diffusion.gaussian
    >>> points = run.load("runs/diffusion/gaussian").sample(500)
    python -m experiments.diffusion.gaussian --process ddpm_cosine

Expected: not measured yet.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import optimizer
from adl.diffusion import denoising, gaussian, preconditioner, process, schedule, solver, target
from adl.nn.mlp import TimedMLP
from adl.prob.gaussian import MultivariateNormal

MEAN, COVARIANCE = (0.5, -0.5), ((1.0, 0.7), (0.7, 0.8))
LOW, HIGH = 0.05, 80.0  # noise levels of the likelihood and of samplers
LEVELS = (0.1, 0.5, 2.0, 10.0)  # whose score is compared
CALLS = (8, 16, 32, 64, 128)  # of the network, a sample
SOLVERS = {  # by name, with the calls of a step
    "DDIM": (solver.euler, 1),
    "Heun": (solver.heun, 2),
    "Runge-Kutta": (solver.runge_kutta, 4),
    "DDPM": (solver.ddim(1.0), 1),
    "reverse": (solver.reverse, 1),
}
KARRAS = target.preconditioned(preconditioner.karras(0.9))
WAYS = {  # process, target and levels of `denoising`
    "edm": (process.exploding, KARRAS, denoising.log_normal(-0.5, 1.5)),
    "ve": (process.exploding, KARRAS, denoising.log_uniform(0.01, 50.0)),
    "vp": (process.preserving(), target.noise, denoising.uniform()),
    "ddpm": (process.discrete(), target.noise, denoising.uniform(1000)),
    "ddpm_cosine": (process.discrete_cosine(), target.noise, denoising.uniform(1000)),
    "flow": (process.straight, target.velocity, denoising.uniform()),
}


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the claims are about."""

    process: Literal["edm", "ve", "vp", "ddpm", "ddpm_cosine", "flow"] = (
        "edm"  # with the target and levels of its paper
    )
    num_steps: run.Count = 2000
    batch_size: run.Count = 512
    steps_per_call: run.Count = 50
    eval_every: run.Count = 1000
    num_train: run.Points = 100000  # points to learn from
    hidden: run.Widths = (64, 64)  # widths of the network's hidden layers
    likelihood_steps: run.Count = 50  # of Heun, from the data to noise
    learning_rate: run.Positive = 5e-3  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.99  # decay of the parameters' average, which is evaluated


OF = "points of N(m, S) of the plane, 100,000 to learn from; averaged parameters, mean over 3 seeds"
CLAIMS = tuple(
    run.Claim(metric, f"{OF}; {what}", at_most=most, overrides={"num_seeds": 3}, reference=reference)
    for metric, what, most, reference in (
        ("test/score_0.5", "E |s - s*|^2 / E |s*|^2 at the noise level 0.5, 1,000 draws", 0.01, "?"),
        (
            "test/likelihood_error",
            "|log p - log p*| in nats of 1,000 draws with noise 0.05, 50 steps of Heun",
            0.05,
            "?",
        ),
        ("samples/Heun_32", "Frechet distance of 4,000 samples by 16 steps from 4,000 points", 0.02, "?"),
    )
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (8,), "num_train": 64, "likelihood_steps": 3}


def load(cfg: Config) -> tuple[MultivariateNormal, Array]:
    """The target, and points of it."""
    known = MultivariateNormal(jnp.array(MEAN), jnp.array(COVARIANCE))
    return known, known.sample(jax.random.key(0), (cfg.num_train,))


def build(cfg: Config, loaded: tuple[MultivariateNormal, Array], axis: str | None) -> run.Experiment:
    """A denoiser, beside the closed forms of what it learns."""
    known, x = loaded
    model = TimedMLP(tuple(cfg.hidden), jnp.dtype(cfg.precision))
    way, aim, levels = WAYS[cfg.process]

    def of(learner):
        return denoising.denoiser(model, learner.averaged, None, process=way, target=aim)

    down = functools.partial(schedule.karras, sigma_min=LOW, sigma_max=HIGH)
    fitted = MultivariateNormal(x.mean(0), jnp.cov(x.T))
    beside = {"levels": LEVELS, "sigmas": down(cfg.likelihood_steps + 1)[:-1]}

    def one(key, learner):
        noise_key, key = jax.random.split(key)
        start = HIGH * jax.random.normal(noise_key, (1, len(MEAN)))
        return solver.sample(key, of(learner), start, down(32), solver.heun)[0]

    return run.Experiment(
        denoising.denoising(
            model,
            optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps)),
            **{"process": way, "target": aim, "levels": levels, "axis": axis},
            prepare=lambda key, batch: (batch["x"], None),
        ),
        data.shuffled(data.Split({"x": np.asarray(x)}), cfg.batch_size),
        probes={"test": gaussian.against_gaussian(of, known, **beside)},
        final={
            "fitted": gaussian.against_gaussian(lambda _: gaussian.exact_denoiser(fitted), known, **beside),
            "samples": gaussian.by_evaluations(of, known, SOLVERS, schedule=down, evaluations=CALLS),
        },
        offers={"model": model, "sample": run.Offer(one, run.Repeats(), run.Cells("xy"))},
        figures=figures(),
    )


def figures() -> dict[str, show.Draw]:
    """Errors over steps, and what samples cost."""
    return show.figures(
        score=show.curves(
            {f"noise {level:g}": f"test/score_{level:g}" for level in LEVELS},
            **{"y_label": "error of the score, of its square", "title": "Learned score", "y_scale": "log"},
        ),
        cost=show.by_strength(
            CALLS,
            {name: [f"samples/{name}_{n}" for n in CALLS] for name in SOLVERS},
            **{"x_label": "calls of the network", "y_label": "Frechet distance", "x_scale": "log"},
            title="Samples by solver and cost",
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
