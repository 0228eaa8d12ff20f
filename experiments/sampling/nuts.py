"""Bayesian logistic regression of tumours: draws from the posterior by NUTS, and how far they can be trusted.

Hoffman & Gelman 2014, Journal of Machine Learning Research 15; the warm-up is Stan's. A run's steps are the warm-up of
its chains; the draws come after it, by `core.trace`. Targets whose moments are known: a correlated Gaussian, and the
funnel of Neal 2003, arXiv:physics/0009028, sec. 8, whose neck no step size fits: there R-hat says so.

    python -m experiments.sampling
    python -m experiments.sampling --method hmc
    python -m experiments.sampling --target funnel

Expected: R-hat 1.003 and means within 0.03 posterior standard deviations by NUTS (8,000 draws worth 6,800 independent
ones or more), 1.002 and 0.03 by HMC (worth 3,600 or more), in 10 to 30 seconds on a core; of the funnel R-hat 1.09.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer

from adl import data, run, show
from adl.core import Algorithm, Mean, trace
from adl.sampling import diagnostics
from adl.sampling.hmc import LogDensity, hmc
from adl.sampling.nuts import nuts

REFERENCE = Path(__file__).with_suffix(".json")  # by BlackJAX: tests/sampling/breast_cancer.py
SHOWN = 4  # parameters in the trace plot
FUNNEL_STD = 3.0  # of the neck variable


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "breast_cancer"  # TFDS name, with "x" (or "features") [D] and a "label" of two; of --target logistic
    num_steps: run.Count = 500  # warm-up transitions of a chain
    steps_per_call: run.Count = 20
    log_every: run.Count = 20
    target: Literal["logistic", "gaussian", "funnel"] = "logistic"
    method: Literal["nuts", "hmc"] = "nuts"
    num_chains: run.Count = 8  # split over devices
    num_draws: run.Count = 1000  # of a chain, after the warm-up; all are kept
    metric: Literal["diagonal", "dense"] = "diagonal"  # what the warm-up estimates: variances, or the covariance
    target_acceptance: run.Rate = 0.8  # that the warm-up aims at; nearer to 1 is slower and follows curvature better
    num_leapfrog: run.Count = 16  # steps of a trajectory of --method hmc
    max_depth: run.Count = 10  # doublings of a trajectory of --method nuts, at most


POSTERIOR = "breast cancer, 569 tumours, 30 standardised features, weights ~ N(0, 1); 8 chains, 500 + 1,000 transitions"
CLAIMS = tuple(
    run.Claim(
        metric=metric,
        at_most=at_most,
        overrides={} if method == "nuts" else {"method": method},
        protocol=f"{POSTERIOR}; {what}",
        reference=reference,
    )
    for method in ("nuts", "hmc")
    for metric, at_most, what, reference in (
        (
            "draws/rhat",
            1.01,
            "rank-normalised split R-hat, the largest of 31 parameters",
            "Vehtari et al. 2021: below 1.01",
        ),
        (
            "draws/z",
            4.0,
            "largest error of the 31 posterior means, in Monte-Carlo standard errors",
            "means of 160,000 draws of BlackJAX's NUTS; the largest of 31 normal |z| is above 4 once in 500 runs",
        ),
    )
)
SMOKE = {"num_steps": 4, "num_draws": 8, "num_chains": 8, "max_depth": 3, "target": "funnel"}
SWEEP = "target_acceptance=0.7,0.9"  # of the tests


class Target(NamedTuple):
    """A density, and what is known of it."""

    log_density: LogDensity
    names: Sequence[str]  # of the D parameters
    mean: np.ndarray | None = None  # [D], where it is known
    std: np.ndarray | None = None  # [D]
    standard_error: np.ndarray | float = 0.0  # [D] of that mean
    plane: Callable[[np.ndarray], np.ndarray] | None = None  # log-density [...] of the first two parameters [..., 2]


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Chains that warm up, and at the end their draws."""
    target = {"logistic": logistic, "gaussian": gaussian, "funnel": funnel}[cfg.target](cfg)
    chains = algorithm(cfg, target)

    def draws(key, state):
        # What is kept is bounded by the configuration, and the run's own state does not move.
        _, position = trace(chains, cfg.num_draws, lambda chain: chain.position)(key, state)
        position = position.swapaxes(0, 1)
        rhat, ess = diagnostics.split_rhat(position), diagnostics.bulk_ess(position)
        found = {"rhat": Mean.of(rhat.max()), "ess": Mean.of(ess.min())}
        if target.mean is not None:
            error = jnp.abs(position.mean((0, 1)) - target.mean)
            spread = jnp.hypot(diagnostics.standard_error(position), target.standard_error)
            found |= {"z": Mean.of((error / spread).max()), "error": Mean.of((error / target.std).max())}
        return {**found, "position": position, "rhats": rhat, "sizes": ess}

    return run.Experiment(
        chains,
        final={"draws": draws},
        figures=show.figures(
            warmup=warmup_figure,
            trace=functools.partial(trace_figure, target=target),
            marginals=functools.partial(marginal_figure, target=target),
            plane=functools.partial(plane_figure, target=target),
            diagnostics=functools.partial(diagnostics_figure, target=target),
        ),
    )


def algorithm(cfg: Config, target: Target) -> Algorithm:
    """Chains that begin uniformly in [-2, 2], as Stan's."""
    dim, dtype = len(target.names), jnp.dtype(cfg.precision)
    make = {
        "nuts": functools.partial(nuts, max_depth=cfg.max_depth),
        "hmc": functools.partial(hmc, num_leapfrog=cfg.num_leapfrog),
    }[cfg.method]
    return make(
        lambda x: target.log_density(x.astype(dtype)).astype(jnp.float32),
        lambda key: jax.random.uniform(key, (dim,), minval=-2.0, maxval=2.0),
        num_chains=cfg.num_chains,
        num_warmup=cfg.num_steps,
        target_acceptance=cfg.target_acceptance,
        metric=cfg.metric,
    )


def logistic(cfg: Config) -> Target:
    """log p(w | x, y) of labels y ~ Bernoulli(sigmoid(w_0 + w' x)), x standardised, every weight ~ N(0, 1)."""
    split = data.load(cfg.dataset, "train", cfg.data_dir).require("x", "label")
    x = split.arrays["x"].astype(float)
    x = (x - x.mean(0)) / x.std(0)
    design = np.column_stack([np.ones(len(x)), x]).astype(np.float32)
    signs = (2.0 * split.arrays["label"] - 1).astype(np.float32)

    def log_density(w: Array) -> Array:
        logits = jnp.asarray(signs[:, None] * design, w.dtype) @ w
        return jax.nn.log_sigmoid(logits.astype(jnp.float32)).sum() - 0.5 * (w**2).sum()

    if cfg.dataset != "breast_cancer":
        return Target(log_density, ["intercept", *(f"feature {i}" for i in range(1, design.shape[1]))])
    names = ["intercept", *load_breast_cancer().feature_names]
    known = {name: np.array(values, np.float32) for name, values in json.loads(REFERENCE.read_text()).items()}
    return Target(log_density, names, **known)


def gaussian(cfg: Config) -> Target:
    """N(0, C) in 20 dimensions, C_ij = s_i s_j 0.9^|i - j|, standard deviations s from 0.1 to 10."""
    place = np.arange(20)
    std = np.logspace(-1, 1, 20)[np.argsort(place % 2, kind="stable")]
    covariance = np.outer(std, std) * 0.9 ** abs(place[:, None] - place)
    precision = np.linalg.inv(covariance).astype(np.float32)
    first = np.linalg.inv(covariance[:2, :2])
    return Target(
        lambda x: -0.5 * x @ jnp.asarray(precision, x.dtype) @ x,
        [f"x{i}" for i in place],
        mean=np.zeros(20, np.float32),
        std=std.astype(np.float32),
        plane=lambda x: -0.5 * np.einsum("...i,ij,...j", x, first, x),
    )


def funnel(cfg: Config) -> Target:
    """v ~ N(0, 3^2), and nine x_i ~ N(0, exp(v)): a mouth as wide as exp(9 / 2), a neck as narrow as its inverse."""

    def log_density(x: Array) -> Array:
        v, x = x[0], x[1:]
        return -0.5 * (v / FUNNEL_STD) ** 2 - 0.5 * jnp.exp(-v) * (x**2).sum() - 0.5 * len(x) * v

    def plane(point: np.ndarray) -> np.ndarray:
        v, x = point[..., 0], point[..., 1]
        return -0.5 * (v / FUNNEL_STD) ** 2 - 0.5 * np.exp(-v) * x**2 - 0.5 * v

    wide = np.exp(FUNNEL_STD**2 / 4)
    return Target(
        log_density,
        ["v", *(f"x{i}" for i in range(1, 10))],
        mean=np.zeros(10, np.float32),
        std=np.array([FUNNEL_STD, *[wide] * 9], np.float32),
        plane=plane,
    )


def warmup_figure(outcome: run.Outcome) -> Figure:
    """Acceptance, step size and divergences while the chains warm up."""
    curves = {"acceptance": "train/acceptance", "step size": "train/step_size", "divergent": "train/divergent"}
    figure = show.curves(curves, y_label="mean over chains", title="Warm-up")(outcome)
    figure.axes[0].set_xlabel("transition")
    return figure


def trace_figure(outcome: run.Outcome, *, target: Target) -> Figure:
    """Draws one after another, of the parameters on which chains agree least."""
    position, worst = outcome.arrays["draws/position"], np.argsort(-outcome.arrays["draws/rhats"])[:SHOWN]
    figure, axes = show.panel(len(worst), 1, size=(6.4, 1.35))
    shades = show.COLORS * len(position)
    for ax, index in zip(axes[:, 0], worst, strict=True):
        for chain, color in zip(position[..., index], shades, strict=False):
            ax.plot(chain, color=color, linewidth=0.4, alpha=0.8)
        ax.set_ylabel(target.names[index], fontsize=8)
        ax.set_title(f"R-hat {outcome.arrays['draws/rhats'][index]:.3f}", loc="right", fontsize=8)
        ax.margins(x=0.005)
        ax.label_outer()
    axes[-1, 0].set_xlabel("draw after the warm-up")
    figure.suptitle(f"Where the {len(position)} chains agree least", fontsize=10)
    return figure


def marginal_figure(outcome: run.Outcome, *, target: Target) -> Figure:
    """Histograms of all chains' draws, with the reference's mean and standard deviation."""
    position = outcome.arrays["draws/position"].reshape(-1, len(target.names))
    shown = np.linspace(0, len(target.names) - 1, min(12, len(target.names))).round().astype(int)
    figure, axes = show.panel(-(-len(shown) // 4), 4, size=(1.75, 1.5))
    for ax in axes.flat[len(shown) :]:
        ax.axis("off")
    for ax, index in zip(axes.flat, shown, strict=False):
        values = position[:, index]
        low, high = np.quantile(values, [0.002, 0.998])  # tails as long as the funnel's would leave one bin to see
        ax.hist(values, bins=40, range=(low, high), density=True, color=show.COLORS[0], alpha=0.55)
        if target.mean is not None:
            mean, std = target.mean[index], target.std[index]
            ax.axvspan(mean - std, mean + std, color="0.5", alpha=0.15, linewidth=0)
            ax.axvline(mean, color=show.COLORS[1], linewidth=1)
            ax.axvline(values.mean(), color=show.COLORS[6], linewidth=1, linestyle=":")
            ax.set_xlim(low, high)
        ax.set_title(target.names[index], fontsize=8)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    known = (
        ""
        if target.mean is None
        else "; line and band: mean and standard deviation of the reference, dots: of all draws"
    )
    figure.suptitle(f"Marginals{known}", fontsize=9)
    return figure


def plane_figure(outcome: run.Outcome, *, target: Target) -> Figure:
    """Draws in the plane of two parameters: over the density's contours where it is known, else the most correlated."""
    position = outcome.arrays["draws/position"].reshape(-1, len(target.names))
    pair = (0, 1) if target.plane else most_correlated(position)
    figure, axes = show.panel(size=(4.4, 3.8))
    ax = axes[0, 0]
    y, x = position[:, pair].T
    ax.plot(x, y, ".", color=show.COLORS[0], markersize=2.5, markeredgewidth=0, alpha=0.25, rasterized=True)
    limits = np.quantile(position[:, pair], [0.002, 0.998], axis=0)
    title = f"{len(x):,} draws of the two most correlated"
    if target.plane:  # where the density is, whether draws went there or not
        reach = 2.5 * target.std[:2] * np.array([[-1], [1]]) + target.mean[:2]
        limits = np.stack([np.minimum(limits, reach)[0], np.maximum(limits, reach)[1]])
        grid = np.stack(np.meshgrid(*(np.linspace(*limit, 400) for limit in limits.T)), -1)
        density = target.plane(grid)
        levels = density.max() - np.array([8.0, 6.0, 4.5, 3.0, 2.0, 1.0, 0.3])
        ax.contour(grid[..., 1], grid[..., 0], density, levels, colors="0.3", linewidths=0.6, linestyles="solid")
        title = f"{len(x):,} draws, and contours of the density"
    (low, left), (high, right) = limits
    ax.set(xlim=(left, right), ylim=(low, high), xlabel=target.names[pair[1]], ylabel=target.names[pair[0]])
    ax.set_title(title, fontsize=10)
    return figure


def most_correlated(position: np.ndarray) -> tuple[int, int]:
    """The two columns of draws `[N, D]` that say most about each other."""
    correlation = abs(np.corrcoef(position, rowvar=False)) - np.eye(position.shape[1])
    return tuple(map(int, np.unravel_index(correlation.argmax(), correlation.shape)))


def diagnostics_figure(outcome: run.Outcome, *, target: Target) -> Figure:
    """R-hat and effective sample size of every parameter."""
    ess = outcome.arrays["draws/sizes"]
    rhat = np.clip(np.nan_to_num(outcome.arrays["draws/rhats"], nan=np.inf), 1, 2)  # of chains that never moved: inf
    chains, draws = outcome.arrays["draws/position"].shape[:2]
    figure, axes = show.panel(1, 2, size=(3.2, 0.9 + 0.14 * len(rhat)))
    left, right = axes[0]
    place = np.arange(len(rhat))
    left.barh(place, rhat - 1, left=1, color=np.where(rhat < 1.01, show.COLORS[0], show.COLORS[1]))
    left.axvline(1.01, color="0.4", linewidth=0.8, linestyle=":")
    left.set(xlabel="split R-hat", xlim=(1, max(1.012, 1.05 * (rhat.max() - 1) + 1)))
    right.barh(place, ess, color=show.COLORS[2])
    right.axvline(chains * draws, color="0.4", linewidth=0.8, linestyle=":")
    right.set(xlabel="effective sample size")
    right.set_title(f"dotted: {chains * draws:,} draws", loc="right", fontsize=8)
    left.set_yticks(place, target.names, fontsize=6.5)
    right.set_yticks([])
    for ax in axes[0]:
        ax.invert_yaxis()
        ax.margins(y=0.01)
    figure.suptitle("Agreement of the chains, and worth of their draws", fontsize=10)
    return figure


if __name__ == "__main__":
    run.main(__name__)
