"""The error of a fit in its parts: how far fits are from the truth on average, and how far from each other.

Geman, Bienenstock & Doursat 1992, Neural Computation 4(1); Bishop 2006, Pattern Recognition and Machine Learning,
section 3.2. Data sets of 25 noisy points of a sine, always at the same places; each is fitted by ridge regression on 24
Gaussian bumps with 41 penalties at once. A step fits 100 data sets. The closed form stands beside what was counted.

    python -m experiments.linear.bias_variance
    python -m experiments.linear.bias_variance --noise_std 0.6

Expected: both parts within 0.005 of their sum of the closed form at all 41 penalties; the least sum 0.0274, at ln
penalty 0.15. Seconds on 2 cores.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Mean
from adl.linear import basis, bias_variance, regression
from adl.prob.product import matmul

X = np.linspace(0, 1, 25).astype("f")  # where the points of every data set are
GRID = np.linspace(0, 1, 101).astype("f")  # where the fits are judged
CENTRES = np.linspace(0, 1, 24).astype("f")
PENALTIES = np.exp(np.linspace(-7, 4, 41)).astype("f")
SHOWN = (34, 22, 6)  # penalties of the fits that are drawn
NUM_SETS = 2000
NUM_DRAWN = 20  # fits in a panel


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 20
    batch_size: run.Count = 100  # data sets a step
    log_every: run.Count = 1
    eval_every: run.Count = 1
    noise_std: run.Positive = 0.3  # of a point about the sine


CLAIMS = (
    run.Claim(
        metric="parts/gap",
        at_most=0.02,
        protocol="2,000 data sets; largest distance of either part from the closed form, of the sum of both",
        reference="0: the closed form",
    ),
    run.Claim(
        metric="parts/excess",
        at_most=1.02,
        protocol="2,000 data sets; exact error of the penalty that was counted best, of that of the best",
        reference="1: it is the best",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16}
SWEEP = "noise_std=0.1,0.5"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Fits of data set after data set, and their moments beside the closed form."""
    noise = np.random.default_rng(0).normal(size=(NUM_SETS, len(X))).astype("f")
    fits = smoothers()
    target = jnp.asarray(truth(GRID))

    def fit(sample):
        return matmul(fits, truth(X) + cfg.noise_std * sample["noise"])

    exact = bias_variance.Parts(jnp.square(fits @ truth(X) - target[None]), cfg.noise_std**2 * jnp.square(fits).sum(-1))

    def look(key, moments):
        counted = bias_variance.parts(moments)
        bias2, variance = (part.mean(-1) for part in counted)
        want_bias2, want_variance = (part.mean(-1) for part in exact)
        total, want = bias2 + variance, want_bias2 + want_variance
        best = want.argmin()
        return {
            "loss": Mean.of(total[best]),
            "bias2": Mean.of(bias2[best]),
            "variance": Mean.of(variance[best]),
            "gap": Mean.of((jnp.maximum(jnp.abs(bias2 - want_bias2), jnp.abs(variance - want_variance)) / want).max()),
            "excess": Mean.of(want[total.argmin()] / want.min()),
            **{"counted bias2": bias2, "counted variance": variance},
            **{"exact bias2": want_bias2, "exact variance": want_variance},
            "mean": moments.error[jnp.array(SHOWN)] / jnp.maximum(moments.count, 1) + target[None],
        }

    def drawn(key, moments):
        return {"fits": jax.vmap(fit)({"noise": jnp.asarray(noise[:NUM_DRAWN])})[:, jnp.array(SHOWN)]}

    return run.Experiment(
        bias_variance.decomposition(fit, target, axis=axis),
        data.shuffled(data.Split({"noise": noise}), cfg.batch_size),
        probes={"parts": look},
        final={"drawn": drawn},
        figures=show.figures(
            fits=fits_figure,
            parts=functools.partial(parts_figure, cfg=cfg),
        ),
    )


def truth(x: np.ndarray) -> np.ndarray:
    """The sine, one wave over [0, 1]."""
    return np.sin(2 * np.pi * x)


def smoothers() -> jax.Array:
    """`[V, T, N]`: what makes fits `[V, T]` of outcomes `[N]`: the fits of one outcome of 1 and else 0."""
    phi, grid = (
        jnp.concatenate([jnp.ones((len(x), 1)), basis.gaussian(jnp.asarray(x), CENTRES, 0.06)], 1) for x in (X, GRID)
    )
    alg, batch = regression.least_squares(), {"x": phi, "y": jnp.eye(len(X))}
    sums, _ = alg.step(jax.random.key(0), alg.init(jax.random.key(0), batch), batch)
    free = jnp.ones(phi.shape[1]).at[0].set(0)
    weights = jax.vmap(lambda penalty: regression.ridge_weights(sums, penalty * free))(jnp.asarray(PENALTIES))
    return matmul(grid[None], weights)


def fits_figure(outcome: run.Outcome) -> Figure:
    """Fits to twenty data sets with three penalties, and the mean of all fits."""
    fits, mean = outcome.arrays["drawn/fits"], outcome.arrays["parts/mean"]
    figure, axes = show.panel(2, 3, size=(2.5, 1.9))
    names = ("too stiff", "about right", "too loose")
    for column, (upper, lower) in enumerate(axes.T):
        upper.plot(GRID, fits[:, column].T, color=show.COLORS[1], linewidth=0.6, alpha=0.7)
        lower.plot(GRID, truth(GRID), color=show.COLORS[2], label="truth")
        lower.plot(GRID, mean[column], "--", color=show.COLORS[1], label="mean of all fits")
        penalty = np.log(PENALTIES[SHOWN[column]])
        upper.set_title(f"{names[column]}: ln penalty {penalty:.1f}")
        lower.set_xlabel("x")
        for ax in (upper, lower):
            ax.set_ylim(-1.7, 1.7)
    axes[0, 0].set_ylabel("twenty fits")
    axes[1, 0].set_ylabel("y")
    axes[1, 0].legend(fontsize=8, frameon=False)
    return figure


def parts_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """Bias and variance by penalty: counted (dots) and in closed form (lines)."""
    counted, exact = (
        [outcome.arrays[f"parts/{how} {part}"] for part in ("bias2", "variance")] for how in ("counted", "exact")
    )
    figure, axes = show.panel(size=(4.6, 3.3))
    ax, x = axes[0, 0], np.log(PENALTIES)
    names = ("bias²", "variance", "bias² + variance")
    counted, exact = ([*found, sum(found)] for found in (counted, exact))
    for name, dots, line, color in zip(names, counted, exact, show.COLORS, strict=False):
        ax.plot(x, line, color=color, label=name)
        ax.plot(x, dots, "o", color=color, markersize=2.8)
    ax.axvline(x[exact[2].argmin()], color="0.4", linestyle=":", linewidth=1)
    ax.set(
        xlabel="ln penalty",
        ylabel="squared error, mean over x",
        yscale="log",
        title="Dots: counted; lines: exact",
        ylim=(1e-5, 1),
    )
    ax.legend(fontsize=8, frameon=False)
    return figure


if __name__ == "__main__":
    run.main(__name__)
