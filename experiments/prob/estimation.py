"""What data say of a distribution as they arrive, and how far estimates are from the truth.

Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, sections 3.1 and 3.4. A step adds a batch of observations
to a conjugate posterior. Beside the run, on many sets: how far maximum likelihood and the posterior's expectation are
from the truth, the more is seen.

    python -m experiments.prob
    >>> log_p = run.load("runs/prob/estimation").log_density([[0.5], [1.0]])
    python -m experiments.prob --family poisson --sweep prior_count=0.1,1,10

Expected: KL of the estimates from 256 is 1.02 times P / 2N. Half a minute.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Key, Mean
from adl.prob import estimation
from adl.prob import exponential_family as ef
from adl.prob.continuous import Normal
from adl.prob.discrete import Bernoulli, Poisson

NUM_OBSERVATIONS = 4096  # of the run
SIZES = (8, 16, 32, 64, 128, 256)  # of the sets that estimates are fitted to


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claim is about."""

    family: Literal["normal", "poisson", "bernoulli"] = "normal"  # of the observations
    num_steps: run.Count = 64  # at most one pass: observations seen twice would count twice
    batch_size: run.Count = 8
    log_every: run.Count = 1
    eval_every: run.Count = 8
    prior_count: run.Positive = 1.0  # imagined observations behind the prior
    num_sets: run.Count = 20000  # data sets that estimates are averaged over


CLAIMS = (
    run.Claim(
        metric="learning/fit_of_256",
        at_least=0.97,
        at_most=1.07,
        protocol="KL(truth || maximum likelihood) of 256 normal numbers, times 2 N / P, mean of 20,000 sets",
        reference="1 for N towards infinity, by the asymptotic normality of the estimate; 1.020 in closed form for 256",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "num_sets": 20}
SWEEP = "prior_count=1,10"  # of the tests


class Truth(NamedTuple):
    """A family, the member that data come from, what the prior imagines, and where to sum over x."""

    family: ef.Family
    distribution: Any
    imagined: tuple[float, ...]  # T of a typical observation of the prior
    support: np.ndarray  # [X] places
    cell: float  # between them; 1 where x is counted


TRUTHS = {
    "normal": lambda: Truth(
        ef.normal(), Normal(np.float32(1), np.float32(0.5)), (0.0, 1.0), np.linspace(-4, 6, 801, dtype="f"), 0.0125
    ),
    "poisson": lambda: Truth(ef.poisson(), Poisson(np.float32(4)), (1.0,), np.arange(40), 1.0),
    "bernoulli": lambda: Truth(ef.bernoulli(), Bernoulli(np.log(np.float32(0.3 / 0.7))), (0.5,), np.arange(2), 1.0),
}


def load(cfg: Config) -> np.ndarray:
    """Observations."""
    return np.asarray(TRUTHS[cfg.family]().distribution.sample(jax.random.key(0), (NUM_OBSERVATIONS,)))


def build(cfg: Config, loaded: np.ndarray, axis: str | None) -> run.Experiment:
    """A conjugate posterior of one family, and what else can be said of estimates."""
    truth = TRUTHS[cfg.family]()
    imagined = jnp.asarray(truth.imagined) * cfg.prior_count

    def test(key, belief):
        log_p, log_q = log_probs(truth, *belief)
        p = truth.cell * jnp.exp(log_p)
        return {"loss": Mean(-(p * log_q).sum(), p.sum()), "excess": Mean((p * (log_p - log_q)).sum(), p.sum())}

    def log_density(key, belief, x):
        return truth.family.predictive(*belief).log_prob(x[:, 0])

    return run.Experiment(
        estimation.conjugate(truth.family, total=imagined, count=cfg.prior_count, axis=axis),
        data.once(data.Split({"x": loaded}), cfg.batch_size, cfg.num_steps),
        probes={"test": test},
        final={"learning": functools.partial(learning, truth, cfg.num_sets)},
        offers={"log_density": run.Offer(log_density, run.Cells(["x"]), run.Cells(["log_density"]))},
        figures=show.figures(learning=learning_page(len(truth.imagined))),
    )


def log_probs(truth: Truth, total: Array, count: Array) -> tuple[Array, Array]:
    """Of the truth, and what a posterior expects, `[X]` each."""
    both = (truth.distribution, truth.family.predictive(total, count))
    return tuple(distribution.log_prob(jnp.asarray(truth.support)) for distribution in both)


def learning(truth: Truth, num_sets: int, key: Key, belief: estimation.Belief) -> dict[str, Mean | Array]:
    """Mean KL divergence of the truth from maximum likelihood, and from the posterior's expectation, over sets of N."""
    family, p = truth.family, truth.family.natural(truth.distribution)

    def expected_kl(total, count):
        log_p, log_q = log_probs(truth, total, count)
        return (truth.cell * jnp.exp(log_p) * (log_p - log_q)).sum()

    fit, bayes = [], []
    for n in SIZES:
        x = truth.distribution.sample(jax.random.fold_in(key, n), (num_sets, n))
        values = jax.vmap(family.kl, (None, 0))(p, estimation.of_sets(family, x))
        fit.append(jnp.where(jnp.isfinite(values).all(), values.mean(), jnp.nan))
        few = x[: min(num_sets, 500)]
        totals = jnp.asarray(truth.imagined)[None] + jax.vmap(jax.vmap(family.statistics))(few).sum(1)
        bayes.append(jax.vmap(expected_kl, (0, None))(totals, n + 1.0).mean())
    ratio = fit[-1] * 2 * SIZES[-1] / len(truth.imagined)
    return {"fit_of_256": Mean.of(ratio), "fit": jnp.stack(fit), "bayes": jnp.stack(bayes)}


def learning_page(num_params: int) -> show.Draw:
    """How far estimates are from the truth, the more is seen."""
    panel = show.lines(
        SIZES,
        show.Line(num_params / (2 * np.array(SIZES)), "P / 2N", "--", "0.6"),
        show.Line("learning/fit", "maximum likelihood, mean over sets", "o-"),
        show.Line("learning/bayes", "posterior's expectation, mean over sets", "s-"),
        **{"title": "What is still missing after N observations", "legend": "lower left"},
        **{"x_label": "observations, N", "y_label": "KL from the truth (nats)"},
        **{"x_scale": "log", "y_scale": "log", "x_ticks": SIZES},
    )
    return show.page([panel], size=(4.4, 3.1))


if __name__ == "__main__":
    run.main(__name__)
