"""Diffusion of a Gaussian, of which all is known: learned score, likelihood and every solver beside closed forms.

Points of the plane, N(m, S), are learned by one of six published ways of denoising, or by sliced score matching (Song
et al. 2019, arXiv:1905.07088). The score is compared with the exact one, the likelihood of the probability flow (Song
et al. 2021, arXiv:2011.13456) with the density, samples with the target, and solvers by the exact denoiser with theirs.

    python -m experiments.diffusion.gaussian
    >>> points = run.load("runs/diffusion/gaussian").sample(500)
    python -m experiments.diffusion.gaussian --objective sliced
    python -m experiments.diffusion.gaussian --process ddpm_cosine

Expected, three seeds: of its square the score errs by 0.04 at the noise level 0.1, 0.003 at 0.5 and 0.0002 at 2, the
log-density by 0.020 nats (of a Gaussian fitted to the same points 0.004); orders 0.96 of DDIM (Euler), 2.06 of Heun,
4.02 of Runge-Kutta, 0.90 of DDPM and 1.04 of the reverse equation. A minute on 2 busy cores, all three seeds included.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, optimizer
from adl.diffusion import denoising, gaussian, schedule, solver
from adl.diffusion.gaussian import Tried, law_error
from adl.diffusion.published import Name, way_of
from adl.diffusion.sliced import sliced_errors
from adl.nn.mlp import TimedMLP
from adl.prob.gaussian import MultivariateNormal

MEAN, COVARIANCE, SCALE = (0.5, -0.5), ((1.0, 0.7), (0.7, 0.8)), 0.95  # and the deviation of a coordinate
LOW, HIGH = 0.05, 80.0  # noise levels of samplers
FAR = 1000.0  # the likelihood's highest, beside which the mean, 0.7 from 0, is nothing; of chains, which end, HIGH
LEVELS = (0.1, 0.5, 2.0, 10.0)  # whose score is compared
CALLS = (8, 16, 32, 64, 128)  # of the network, a sample
STEPS = (16, 32, 64)  # whose errors tell the order
SOLVERS = {  # with the calls of a step
    "DDIM": Tried(solver.euler),
    "Heun": Tried(solver.heun, 2),
    "Runge-Kutta": Tried(solver.runge_kutta, 4),
    "DDPM": Tried(solver.ddim(1.0), error=law_error),
    "reverse": Tried(solver.reverse, error=law_error),
}


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the claims are about."""

    process: Name = "edm"  # with its target and levels, as `published.way_of` says
    objective: Literal["denoising", "sliced"] = "denoising"  # what is descended; sliced: score matching
    num_steps: run.Count = 2000
    batch_size: run.Count = 512
    steps_per_call: run.Count = 50
    eval_every: run.Count = 1000
    num_train: Annotated[run.Points, run.Range(low=3, high=10**7)] = 100000  # points to learn from
    hidden: run.Widths = (64, 64)  # widths of the network's hidden layers
    likelihood_steps: run.Count = 50  # of Runge-Kutta, from the data to noise
    solvers: tuple[Literal["DDIM", "Heun", "Runge-Kutta", "DDPM", "reverse"], ...] = tuple(SOLVERS)  # that are tried
    num_samples: run.Several = 4000  # of the network, by each solver
    num_paths: run.Several = 50000  # of the exact denoiser, by each solver
    learning_rate: run.Positive = 5e-3  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.99  # decay of the parameters' average, which is evaluated


OF = "points of N(m, S) of the plane, 100,000 to learn from; averaged parameters, mean of 3 seeds"
SCORE = "E |s - s*|^2 / E |s*|^2 of 1,000 draws at the noise level"
DENSITY = "|log p - log p*| in nats of 1,000 draws with noise 0.05"
ORDER = "exact denoiser, 16, 32 and 64 steps from the level 80 to 0.05: the power by which errors fall; 3 seeds"
FITTED = "a Gaussian fitted to the same points:"
SCORES = zip(LEVELS, (0.051, 0.0034, 0.00024, 2e-5), ("1.8e-5", "1.3e-5", "2.8e-6", "3.3e-8"), strict=True)
ORDERS = zip(SOLVERS, (0.96, 2.05, 4.02, 0.82, 0.86), (1, 2, 4, 1, 1), strict=True)
BOUNDS = (
    *((f"test/score_{at:g}", f"{OF}; {SCORE} {at:g}", {"at_most": most}, f"{FITTED} {of}") for at, most, of in SCORES),
    ("test/likelihood_error", f"{OF}; {DENSITY}", {"at_most": 0.027}, f"{FITTED} 0.004"),
    *((f"order/{name}_order", ORDER, {"at_least": least}, f"in closed form {of}") for name, least, of in ORDERS),
)
CLAIMS = tuple(run.Claim(name, of, {"num_seeds": 3}, **bound, reference=known) for name, of, bound, known in BOUNDS)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "hidden": (8,), "num_train": 64, "likelihood_steps": 3},
    **{"solvers": ("Heun", "DDPM"), "num_samples": 50, "num_paths": 50},
}
CURVES = show.curves(
    {f"noise {level:g}": f"test/score_{level:g}" for level in LEVELS},
    **{"y_label": "squared error over squared score", "title": "Learned score", "y_scale": "log"},
)
LOOK = {
    **{"x_label": "calls of the network", "y_label": "Frechet distance of samples", "legend": "best"},
    **{"title": "Samples by solver and cost", "x_scale": "log", "y_scale": "log", "x_ticks": CALLS},
}


def load(cfg: Config) -> tuple[MultivariateNormal, Array]:
    """The target, and points of it."""
    if not cfg.solvers:
        raise BadInput(f"--solvers: at least one of {', '.join(SOLVERS)}")
    known = MultivariateNormal(jnp.array(MEAN), jnp.array(COVARIANCE))
    return known, known.sample(jax.random.key(0), (cfg.num_train,))


def build(cfg: Config, loaded: tuple[MultivariateNormal, Array], axis: str | None) -> run.Experiment:
    """A denoiser, beside the closed forms of what it learns."""
    (known, x), way = loaded, way_of(cfg.process, SCALE)
    model = TimedMLP(tuple(cfg.hidden), jnp.dtype(cfg.precision))

    def of(learner):
        return denoising.denoiser(model, learner.averaged, None, process=way.process, target=way.target)

    down = functools.partial(schedule.karras, sigma_min=LOW, sigma_max=HIGH)
    far = HIGH if cfg.process in ("vp", "ddpm", "ddpm_cosine") else FAR
    rising = schedule.karras(cfg.likelihood_steps + 1, sigma_min=LOW, sigma_max=far)[:-1]
    fitted = MultivariateNormal(x.mean(0), jnp.cov(x.T))
    tried = {name: SOLVERS[name] for name in cfg.solvers}
    beside = {"levels": LEVELS, "sigmas": rising, "solver": solver.runge_kutta}
    cost = {"schedule": down, "evaluations": CALLS, "num": cfg.num_samples}
    panel = show.lines(CALLS, show.Line("samples/distances", cfg.solvers), **LOOK)

    def one(key, learner):
        noise_key, key = jax.random.split(key)
        start = HIGH * jax.random.normal(noise_key, (1, len(MEAN)))
        return solver.sample(key, of(learner), start, down(32), solver.heun)[0]

    return run.Experiment(
        denoising.denoising(
            model,
            optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps)),
            **way._asdict(),
            **{"errors": sliced_errors() if cfg.objective == "sliced" else None, "axis": axis},
            prepare=lambda key, batch: (batch["x"], None),
        ),
        data.shuffled(data.Split({"x": np.asarray(x)}), cfg.batch_size),
        probes={"test": gaussian.against_gaussian(of, known, **beside)},
        final={
            "fitted": gaussian.against_gaussian(lambda _: gaussian.exact_denoiser(fitted), known, **beside),
            "samples": gaussian.distances_by_evaluations(of, known, tried, **cost),
            "order": gaussian.orders(known, tried, schedule=down, steps=STEPS, num=cfg.num_paths),
        },
        offers={"model": model, "sample": run.Offer(one, run.Repeats(), run.Cells("xy"))},
        figures=show.figures(score=CURVES, cost=show.page([panel], size=(4.4, 3.1))),
    )


if __name__ == "__main__":
    run.main(__name__)
