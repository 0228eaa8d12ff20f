"""Bayesian logistic regression of tumours: draws from the posterior by NUTS, and how far they can be trusted.

Hoffman & Gelman 2014, Journal of Machine Learning Research 15; the warm-up is Stan's. A run's steps are the warm-up of
its chains; the draws come after it, by `core.trace`. Targets whose moments are known: a correlated Gaussian, and the
funnel of Neal 2003, arXiv:physics/0009028, sec. 8, whose neck no step size fits: there R-hat says so.

    python -m experiments.sampling
    >>> draws = run.load("runs/sampling/nuts").sample(16)
    python -m experiments.sampling --method hmc
    python -m experiments.sampling --target funnel

Expected: R-hat 1.003 and means within 0.03 posterior standard deviations by NUTS (8,000 draws worth 6,800 independent
ones or more), 1.002 and 0.03 by HMC (worth 3,600 or more), in 10 to 30 seconds on a core; of the funnel R-hat 1.09.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import Algorithm, Mean, trace
from adl.data import tables
from adl.sampling import diagnostics, targets
from adl.sampling.chains import any_one
from adl.sampling.hmc import hmc
from adl.sampling.nuts import nuts
from adl.sampling.targets import Target

REFERENCE = Path(__file__).with_suffix(".json")  # by BlackJAX: tests/sampling/breast_cancer.py


@dataclass(frozen=True)
class Config(run.Sourced, run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "breast_cancer"  # TFDS name, with "x" (or "features") [D] and a "label" of two; of --target logistic
    num_steps: run.Count = 500  # warm-up transitions of a chain
    steps_per_call: run.Count = 20
    log_every: run.Count = 20
    target: Literal["logistic", "gaussian", "funnel"] = "logistic"  # density: a posterior, or one of known moments
    method: Literal["nuts", "hmc"] = "nuts"  # trajectories that end by themselves, or of one length
    num_chains: run.Split = 8  # split over devices
    num_draws: run.Count = 1000  # of a chain, after the warm-up; all are kept
    metric: Literal["diagonal", "dense"] = "diagonal"  # what the warm-up estimates: variances, or the covariance
    target_acceptance: run.Rate = 0.8  # that the warm-up aims at; nearer to 1 is slower and follows curvature better
    num_leapfrog: run.Count = 16  # steps of a trajectory of --method hmc
    max_depth: run.Count = 10  # doublings of a trajectory of --method nuts, at most


POSTERIOR = "breast cancer, 569 tumours, 30 standardised features, weights ~ N(0, 1); 8 chains, 500 + 1,000 transitions"
MEASURED = (
    (
        "draws/rhat",
        f"{POSTERIOR}; rank-normalised split R-hat, the largest of 31 parameters",
        *(1.01, "Vehtari et al. 2021: below 1.01"),
    ),
    (
        "draws/z",
        f"{POSTERIOR}; largest error of the 31 posterior means, in Monte-Carlo standard errors",
        *(4.0, "means of 160,000 draws of BlackJAX's NUTS; the largest of 31 normal |z| is above 4 once in 500 runs"),
    ),
)
CLAIMS = tuple(
    run.Claim(metric, protocol, overrides, at_most=at_most, reference=reference)
    for overrides in ({}, {"method": "hmc"})
    for metric, protocol, at_most, reference in MEASURED
)
SMOKE = {"num_steps": 4, "num_draws": 8, "num_chains": 8, "max_depth": 3, "target": "funnel"}
SWEEP = "target_acceptance=0.7,0.9"  # of the tests


def load(cfg: Config) -> Target:
    """The target; of the default posterior also what is known of it."""
    if cfg.target != "logistic":
        return targets.correlated() if cfg.target == "gaussian" else targets.funnel(3.0, dim=10)
    rows = data.splits(cfg.dataset, "x", "label", of=("train",), num_classes=2, **cfg.source)[0].arrays
    x = tables.standard(rows["x"], *tables.scale(rows["x"]))
    target = targets.logistic(x, rows["label"], tables.column_names(cfg.dataset, x.shape[1]))
    known = json.loads(REFERENCE.read_text()) if cfg.dataset == "breast_cancer" else {}
    return target._replace(**{name: np.array(values) for name, values in known.items()})


def build(cfg: Config, loaded: Target, axis: str | None) -> run.Experiment:
    """Chains that warm up, and at the end their draws."""
    chains, target = algorithm(cfg, loaded), loaded

    def draws(key, state):
        # What is kept is bounded by the configuration, and the run's own state does not move.
        position = trace(chains, cfg.num_draws, lambda chain: chain.position)(key, state)[1].swapaxes(0, 1)
        rhat, ess = diagnostics.split_rhat(position), diagnostics.bulk_ess(position)
        found = {"rhat": Mean.of(rhat.max()), "ess": Mean.of(ess.min())}
        if target.mean is not None:
            mean, std, error = (jnp.asarray(known, jnp.float32) for known in target[2:5])
            found["z"] = Mean.of(jnp.abs(diagnostics.z_scores(position, mean, error)).max())
            found["error"] = Mean.of((jnp.abs(position.mean((0, 1)) - mean) / std).max())
        return {**found, "position": position, "rhats": rhat, "sizes": ess}

    later = trace(chains, 10, lambda chain: chain.position)
    one = any_one(lambda key, state: later(key, state)[1][-1])  # ten transitions further on
    return run.Experiment(
        chains,
        final={"draws": draws},
        offers={"sample": run.Offer(one, run.Repeats(), run.Cells(target.names))},
        figures=show.figures(
            warmup=show.curves(
                {"acceptance": "train/acceptance", "step size": "train/step_size", "divergent": "train/divergent"},
                **{"y_label": "mean over chains", "title": "Warm-up, a transition a step"},
            ),
            trace=show.traces("draws/position", "draws/rhats", target.names),
            marginals=show.marginals("draws/position", target.names, mean=target.mean, std=target.std),
            plane=plane(target),
            diagnostics=show.agreement(
                *("draws/rhats", "draws/sizes", target.names), num_draws=cfg.num_chains * cfg.num_draws
            ),
        ),
    )


def algorithm(cfg: Config, target: Target) -> Algorithm:
    """Chains that begin uniformly in [-2, 2], as Stan's."""
    make = {
        "nuts": functools.partial(nuts, max_depth=cfg.max_depth),
        "hmc": functools.partial(hmc, num_leapfrog=cfg.num_leapfrog),
    }[cfg.method]
    return make(
        targets.rounded(target.log_density, cfg.precision),
        lambda key: jax.random.uniform(key, (len(target.names),), minval=-2.0, maxval=2.0),
        num_chains=cfg.num_chains,
        num_warmup=cfg.num_steps,
        target_acceptance=cfg.target_acceptance,
        metric=cfg.metric,
    )


def plane(target: Target) -> show.Draw:
    """Over the density where it is known, at least 2.5 deviations of it; else of the two most correlated."""
    if target.plane is None:
        return show.most_correlated("draws/position", target.names)
    reach = target.mean[:2] + 2.5 * target.std[:2] * np.array([[-1], [1]])
    return show.first_two("draws/position", target.names, jax.vmap(jax.vmap(target.plane)), reach=reach)


if __name__ == "__main__":
    run.main(__name__)
