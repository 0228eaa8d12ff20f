"""What data say of a density: bias of maximum likelihood, posteriors as data arrive, and densities without a form.

Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, sections 2.3, 3.1, 3.4 and 3.5; the density with five
claws is of Marron & Wand 1992, Annals of Statistics 20(2), table 1. A step adds a batch of observations to a conjugate
posterior. Beside the run, on many small sets: the variance that maximum likelihood finds, and how far estimates are
from the truth; and on one set of 1,000, histogram, kernel and nearest neighbours, each too local, right and blurred.

    python -m experiments.prob
    python -m experiments.prob --family poisson --sweep prior_count=0.1,1,10

Expected: the variance of five is 0.80 of the true one; KL of the estimates from 256 is 1.02 times P / 2N; kernels lose
0.037 nats. Half a minute.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import BadInput, Key, Mean
from adl.prob import density, estimation, information, kernel
from adl.prob import exponential_family as ef
from adl.prob.continuous import Normal
from adl.prob.discrete import Bernoulli, Poisson
from adl.prob.mixture import Mixture

NUM_POINTS, NUM_TEST = 1000, 20000  # of the densities
NUM_OBSERVATIONS = 4096  # of the run
SIZES = (2, 3, 5, 8, 12, 20)  # of the sets whose variance is estimated
LARGER = (8, 16, 32, 64, 128, 256)  # of the sets that estimates are fitted to
SEEN, IMAGINED = (0, 2, 8, 32, 128), 2.0  # observations behind the posteriors that are drawn, and behind their prior
GRID = np.linspace(-3, 3, 601).astype("f")  # where densities are drawn and compared
BANDWIDTHS = np.geomspace(0.02, 1, 40).astype("f")
BINS, NEIGHBOURS = (200, 40, 8), (4, 40, 250)  # too local, right, blurred


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    family: Literal["normal", "poisson", "bernoulli"] = "normal"  # of the observations
    num_steps: run.Count = 64  # at most one pass: observations seen twice would count twice
    batch_size: run.Count = 8
    log_every: run.Count = 1
    eval_every: run.Count = 8
    prior_count: run.Positive = 1.0  # imagined observations behind the prior
    num_sets: run.Count = 20000  # data sets that estimates are averaged over


CLAIMS = (
    run.Claim(
        metric="bias/variance_of_5",
        at_least=0.79,
        at_most=0.81,
        protocol="variance by maximum likelihood from 5 normal numbers over the true one, mean of 20,000 sets",
        reference="(N - 1) / N = 0.8 in closed form",
    ),
    run.Claim(
        metric="learning/fit_of_256",
        at_least=0.97,
        at_most=1.07,
        protocol="KL(truth || maximum likelihood) of 256 normal numbers, times 2 N / P, mean of 20,000 sets",
        reference="1 for N towards infinity, by the asymptotic normality of the estimate; 1.020 in closed form for 256",
    ),
    run.Claim(
        metric="density/excess",
        at_most=0.0371,
        protocol="five claws, 1,000 points: -log p on 20,000 others less the true density's, nats; Gaussian kernels "
        "whose bandwidth, of 40 from 0.02 to 1, is the likeliest when each point is left out",
        reference="scikit-learn's KernelDensity 0.0370, of the same 40 bandwidths by leave-one-out",
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
        ef.normal(), Normal(jnp.float32(1), jnp.float32(0.5)), (0.0, 1.0), np.linspace(-4, 6, 801, dtype="f"), 0.0125
    ),
    "poisson": lambda: Truth(ef.poisson(), Poisson(jnp.float32(4)), (1.0,), np.arange(40), 1.0),
    "bernoulli": lambda: Truth(ef.bernoulli(), Bernoulli(jnp.log(jnp.float32(0.3 / 0.7))), (0.5,), np.arange(2), 1.0),
}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A conjugate posterior of one family, and what else can be said of densities."""
    if cfg.num_steps * cfg.batch_size > NUM_OBSERVATIONS:
        raise BadInput(
            f"--num_steps {cfg.num_steps} of --batch_size {cfg.batch_size}: they must not exceed the "
            f"{NUM_OBSERVATIONS} observations, for what is seen twice counts twice"
        )
    with jax.ensure_compile_time_eval():  # the experiment is built within the program of a sweep, too
        truth = TRUTHS[cfg.family]()
        observed = np.asarray(truth.distribution.sample(jax.random.key(0), (NUM_OBSERVATIONS,)))
        points, others = (
            np.asarray(claws().sample(jax.random.key(k), (n,))) for k, n in ((1, NUM_POINTS), (2, NUM_TEST))
        )

    def test(key, belief):
        expected = truth.family.predictive(*belief)
        log_p, log_q = (d.log_prob(jnp.asarray(truth.support)) for d in (truth.distribution, expected))
        p = truth.cell * jnp.exp(log_p)
        return {"loss": Mean(-(p * log_q).sum(), p.sum()), "excess": Mean((p * (log_p - log_q)).sum(), p.sum())}

    imagined = jnp.asarray(truth.imagined) * cfg.prior_count
    make = functools.partial(estimation.conjugate, truth.family, total=imagined, count=cfg.prior_count)
    return run.Experiment(
        make(axis=axis),
        data.shuffled(data.Split({"x": observed}), cfg.batch_size),
        probes={"test": test},
        final={
            "bias": functools.partial(bias, num_sets=cfg.num_sets),
            "learning": functools.partial(learning, truth=truth, num_sets=cfg.num_sets),
            "posterior": posteriors,
            "density": functools.partial(densities, points=points, others=others),
        },
        figures=show.figures(
            bias=bias_figure,
            learning=functools.partial(learning_figure, num_params=len(truth.imagined)),
            posteriors=posteriors_figure,
            densities=functools.partial(densities_figure, points=points),
        ),
    )


def claws() -> Mixture:
    """Half a standard normal, and five narrow ones on top."""
    weights = jnp.array([0.5] + 5 * [0.1])
    return Mixture(jnp.log(weights), Normal(jnp.array([0.0, -1, -0.5, 0, 0.5, 1]), jnp.array([1.0] + 5 * [0.1])))


def fitted(family: ef.Family, x: jax.Array) -> jax.Array:
    """Natural parameters `[S, P]` by maximum likelihood of sets `x [S, N]`."""
    return jax.vmap(family.fit)(jax.vmap(jax.vmap(family.statistics))(x).mean(1))


def bias(key: Key, belief: estimation.Belief, *, num_sets: int) -> dict[str, Mean | jax.Array]:
    """Variances by maximum likelihood from sets of N standard normal numbers, and their standard errors."""
    family, means, errors, seen = ef.normal(), [], [], {}
    for n in SIZES:
        x = jax.random.normal(jax.random.fold_in(key, n), (num_sets, n))
        variance = jnp.square(jax.vmap(family.distribution)(fitted(family, x)).scale)
        means.append(variance.mean())
        errors.append(variance.std() / num_sets**0.5)
        if n == 5:
            seen["variance_of_5"] = Mean.of(variance)
    return {**seen, "mean": jnp.stack(means), "error": jnp.stack(errors)}


def learning(key: Key, belief: estimation.Belief, *, truth: Truth, num_sets: int) -> dict[str, Mean | jax.Array]:
    """Mean KL divergence of the truth from maximum likelihood, and from the posterior's expectation, over sets of N."""
    family, p = truth.family, truth.family.natural(truth.distribution)
    log_p = truth.distribution.log_prob(jnp.asarray(truth.support))
    weight = truth.cell * jnp.exp(log_p)

    def expected_kl(total, count):
        log_q = family.predictive(total, count).log_prob(jnp.asarray(truth.support))
        return (weight * (log_p - log_q)).sum()

    fit, bayes = [], []
    for n in LARGER:
        x = truth.distribution.sample(jax.random.fold_in(key, n), (num_sets, n))
        values = jax.vmap(family.kl, (None, 0))(p, fitted(family, x))
        fit.append(jnp.where(jnp.isfinite(values).all(), values.mean(), jnp.nan))
        few = x[: min(num_sets, 500)]
        totals = jnp.asarray(truth.imagined)[None] + jax.vmap(jax.vmap(family.statistics))(few).sum(1)
        bayes.append(jax.vmap(expected_kl, (0, None))(totals, n + 1.0).mean())
    ratio = fit[-1] * 2 * LARGER[-1] / len(truth.imagined)
    return {"fit_of_256": Mean.of(ratio), "fit": jnp.stack(fit), "bayes": jnp.stack(bayes)}


POSTERIORS = {  # family -> the parameter's name, its true value, where its posterior is drawn
    "bernoulli": ("probability", 0.3, np.linspace(0.002, 0.998, 400)),
    "poisson": ("rate", 4.0, np.linspace(0.01, 8, 400)),
    "normal": ("mean, variance unknown", 1.0, np.linspace(-1.5, 2.5, 400)),
}


def posteriors(key: Key, belief: estimation.Belief) -> dict[str, jax.Array]:
    """Posterior densities of three parameters after more and more observations, each in one curve."""
    curves = {}
    for i, (name, (_, _, grid)) in enumerate(POSTERIORS.items()):
        truth, rows = TRUTHS[name](), []
        x = truth.distribution.sample(jax.random.key(10 + i), (max(SEEN),))
        t = jax.vmap(truth.family.statistics)(x)
        for n in SEEN:
            total = IMAGINED * jnp.asarray(truth.imagined) + t[:n].sum(0)
            posterior = truth.family.posterior(total, jnp.float32(IMAGINED + n))
            usual = posterior.location() if name == "normal" else posterior
            rows.append(jnp.exp(usual.log_prob(jnp.asarray(grid, jnp.float32))))
        curves[name] = jnp.stack(rows)
    return curves


def densities(
    key: Key, belief: estimation.Belief, *, points: np.ndarray, others: np.ndarray
) -> dict[str, Mean | jax.Array]:
    """Three kinds of density, each at three widths, on the grid; what the best kernels lose on other points.

    Distances are total variations, half the integral of |p - q| over the grid, in [0, 1].
    """
    truth, x = claws(), jnp.asarray(points)[:, None]
    likelihood = jax.lax.map(lambda width: density.leave_one_out(x, width).mean(), jnp.asarray(BANDWIDTHS))
    width = jnp.asarray(BANDWIDTHS)[likelihood.argmax()]
    excess = truth.log_prob(jnp.asarray(others)) - kernel.gaussian_log_prob(jnp.asarray(others)[:, None], x, width)
    grid = jnp.asarray(GRID)
    widths = jnp.stack([width / 10, width, density.silverman(x)])
    drawn = {
        "histogram": [density.histogram(x[:, 0], -3, 3, num_bins=num).log_prob(grid) for num in BINS],
        "kernels": [kernel.gaussian_log_prob(grid[:, None], x, w) for w in widths],
        "neighbours": [density.neighbour_log_prob(grid[:, None], x, k=k) for k in NEIGHBOURS],
    }
    drawn = {name: jnp.exp(jnp.stack(rows)) for name, rows in drawn.items()}
    p, cell = jnp.exp(truth.log_prob(grid)), float(GRID[1] - GRID[0])
    apart = {name: 0.5 * cell * jnp.abs(rows - p[None]).sum(-1) for name, rows in drawn.items()}
    entropy = information.neighbour_entropy(x) + truth.log_prob(x[:, 0]).mean()
    return {
        "excess": Mean.of(excess),
        "entropy_error": Mean.of(jnp.abs(entropy)),
        **{f"{name}_distance": Mean.of(values[1]) for name, values in apart.items()},
        **drawn,
        **{f"{name} apart": values for name, values in apart.items()},
        "truth": p,
        "widths": widths,
    }


def bias_figure(outcome: run.Outcome) -> Figure:
    """The variance that maximum likelihood finds in small sets."""
    figure, axes = show.panel(size=(4.4, 3.1))
    ax = axes[0, 0]
    n = np.linspace(SIZES[0], SIZES[-1], 200)
    ax.axhline(1, color="0.7", linewidth=0.8)
    ax.plot(n, (n - 1) / n, color=show.COLORS[1], label="(N − 1) / N")
    mean, error = outcome.arrays["bias/mean"], outcome.arrays["bias/error"]
    ax.errorbar(
        SIZES, mean, yerr=2 * error, fmt="o", color=show.COLORS[0], markersize=4, label="mean over sets, ± 2 se"
    )
    ax.set(xlabel="numbers in a set, N", ylabel="variance found / true variance", ylim=(0.4, 1.05))
    ax.set_xticks(SIZES)
    ax.set_title("Maximum likelihood finds too little variance")
    ax.legend(loc="lower right", fontsize=8, frameon=False)
    return figure


def learning_figure(outcome: run.Outcome, *, num_params: int) -> Figure:
    """How far estimates are from the truth, the more is seen."""
    figure, axes = show.panel(size=(4.4, 3.1))
    ax = axes[0, 0]
    ax.plot(LARGER, num_params / (2 * np.array(LARGER)), color="0.6", linestyle="--", label="P / 2N")
    ax.plot(LARGER, outcome.arrays["learning/fit"], "o-", markersize=4, label="maximum likelihood, mean over sets")
    ax.plot(
        LARGER, outcome.arrays["learning/bayes"], "s-", markersize=4, label="posterior's expectation, mean over sets"
    )
    ax.set(xlabel="observations, N", ylabel="KL from the truth (nats)", xscale="log", yscale="log")
    ax.set_xticks(LARGER, LARGER)
    ax.minorticks_off()
    ax.set_title("What is still missing after N observations")
    ax.legend(fontsize=8, frameon=False)
    return figure


def posteriors_figure(outcome: run.Outcome) -> Figure:
    """Posteriors narrow around the true parameter while data arrive."""
    figure, axes = show.panel(1, 3, size=(2.9, 2.7))
    shades = show.matplotlib.colormaps["viridis_r"](np.linspace(0.1, 1, len(SEEN)))
    for ax, (family, (name, value, grid)) in zip(axes.flat, POSTERIORS.items(), strict=True):
        rows = outcome.arrays[f"posterior/{family}"]
        lines = [ax.plot(grid, row, color=shade)[0] for row, shade in zip(rows, shades, strict=True)]
        ax.axvline(value, color="0.5", linewidth=0.8, linestyle="--")
        ax.set(xlabel=name, title=family, xlim=(grid[0], grid[-1]), ylim=(0, None))
    axes[0, 0].set_ylabel("posterior density")
    figure.legend(
        lines,
        [f"{n} observations" for n in SEEN],
        loc="outside lower center",
        fontsize=8,
        frameon=False,
        ncols=len(SEEN),
    )
    return figure


def densities_figure(outcome: run.Outcome, *, points: np.ndarray) -> Figure:
    """Each kind of density, from too local to blurred, beside the truth."""
    widths = outcome.arrays["density/widths"]
    labels = {
        "histogram": [f"{num} bins" for num in BINS],
        "kernels": [
            f"width {w:.2f}{note}" for w, note in zip(widths, ("", " (left out)", " (Silverman)"), strict=True)
        ],
        "neighbours": [f"{k} neighbours" for k in NEIGHBOURS],
    }
    figure, axes = show.panel(3, 3, size=(2.7, 1.8))
    for row, (name, texts) in zip(axes, labels.items(), strict=True):
        for ax, values, text, apart in zip(
            row, outcome.arrays[f"density/{name}"], texts, outcome.arrays[f"density/{name} apart"], strict=True
        ):
            ax.fill_between(GRID, outcome.arrays["density/truth"], color="0.85", linewidth=0)
            ax.plot(
                GRID, values, color=show.COLORS[0], linewidth=1, drawstyle="steps-mid" if name == "histogram" else None
            )
            ax.plot(points, np.full(len(points), -0.03), "|", color="black", markersize=3, alpha=0.15)
            ax.set(xlim=(-3, 3), ylim=(-0.06, 1))
            ax.set_title(f"{text}: {apart:.2f} away", fontsize=8)
        row[0].set_ylabel(f"{name}\ndensity")
    for ax in axes[-1]:
        ax.set_xlabel("x")
    return figure


if __name__ == "__main__":
    run.main(__name__)
