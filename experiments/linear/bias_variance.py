"""The error of a fit in its parts: how far fits are from the truth on average, and how far from each other.

Geman, Bienenstock & Doursat 1992, Neural Computation 4(1); Bishop 2006, Pattern Recognition and Machine Learning,
section 3.2. Data sets of 25 noisy points of a sine, always at the same places; each is fitted by ridge regression on 24
Gaussian bumps with 41 penalties at once. A step fits 100 data sets. The closed form stands beside what was counted.

    python -m experiments.linear.bias_variance
    >>> mean_fit = run.load("runs/linear/bias_variance").predict([[0.25], [0.5]])
    python -m experiments.linear.bias_variance --noise_std 0.6

Expected: both parts within 0.005 of their sum of the closed form at all 41 penalties; the least sum 0.0274, at ln
penalty 0.15. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Mean
from adl.linear import basis, bias_variance, regression
from adl.prob.product import matmul

X = np.linspace(0, 1, 25).astype("f")  # where the points of every data set are
GRID = np.linspace(0, 1, 101).astype("f")  # where the fits are judged
CENTRES = np.linspace(0, 1, 24).astype("f")
PENALTIES = np.exp(np.linspace(-7, 4, 41)).astype("f")
SHOWN = {"too stiff": 34, "about right": 22, "too loose": 6}  # penalties of the fits that are drawn
NUM_SETS = 2000
NUM_DRAWN = 20  # fits in a panel


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    any_length = True
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


def load(cfg: Config) -> tuple[np.ndarray, Array]:
    """Noise `[NUM_SETS, N]` of standard deviation 1, and a smoother `[T, N]` for each penalty."""
    phi, grid = (basis.with_one(basis.gaussian(jnp.asarray(x), CENTRES, 0.06)) for x in (X, GRID))
    free = jnp.ones(phi.shape[1]).at[-1].set(0)
    smoothers = jax.vmap(lambda penalty: regression.smoother(phi, grid, penalty * free))(jnp.asarray(PENALTIES))
    return (np.random.default_rng(0).normal(size=(NUM_SETS, len(X))).astype("f"), smoothers)


def build(cfg: Config, loaded: tuple[np.ndarray, Array], axis: str | None) -> run.Experiment:
    """Fits of data set after data set, and their moments beside the closed form."""
    noise, smoothers = loaded
    signal, target, shown = truth(X), jnp.asarray(truth(GRID)), jnp.array(list(SHOWN.values()))

    def fits(smoothers, noise):
        return matmul(smoothers, signal + cfg.noise_std * noise)

    def look(smoothers, key, moments):
        counted = bias_variance.parts(moments)
        exact = bias_variance.of_linear_fits(smoothers, jnp.asarray(signal), target, cfg.noise_std)
        means = bias_variance.compared(counted, exact)
        seen = {"best": jnp.log(jnp.asarray(PENALTIES))[means.pop("best")]}
        for how, parts in {"counted": counted, "exact": exact}.items():
            seen |= {f"{how} {name}": part.mean(-1) for name, part in parts._asdict().items()}
            seen[f"{how} sum"] = seen[f"{how} bias2"] + seen[f"{how} variance"]
        mean = moments.mean[shown] + target[None]
        seen |= dict(zip(SHOWN, mean, strict=True))
        return {**seen, **{name: Mean.of(value) for name, value in means.items()}}

    def drawn(loaded, key, moments):
        noise, smoothers = loaded
        found = jax.vmap(lambda one: fits(smoothers[shown], one))(noise)
        return dict(zip(SHOWN, found.swapaxes(0, 1), strict=True))

    return run.Experiment(
        bias_variance.decomposition(lambda sample: fits(smoothers, sample["noise"]), target, axis=axis),
        data.shuffled(data.Split({"noise": noise}), cfg.batch_size),
        probes={"parts": Partial(look, smoothers)},
        final={"drawn": Partial(drawn, (noise[:NUM_DRAWN], smoothers))},
        offers={"predict": run.Offer(bias_variance.mean_fit(GRID, target), run.Cells(["x"]), run.Cells())},
        figures=show.figures(fits=fits_page(), parts=parts_page()),
    )


def truth(x: np.ndarray) -> np.ndarray:
    """The sine, one wave over [0, 1]."""
    return np.sin(2 * np.pi * x)


def fits_page() -> show.Draw:
    """Fits to twenty data sets with three penalties, and the mean of all fits."""
    few = [
        show.lines(
            *(GRID, show.Line(f"drawn/{name}", color=show.COLORS[1])),
            **{"title": f"{name}: ln penalty {np.log(PENALTIES[place]):.1f}", "y_lim": (-1.7, 1.7)},
        )
        for name, place in SHOWN.items()
    ]
    true = show.Line(truth(GRID), "truth", color=show.COLORS[2])
    mean = [
        show.lines(
            *(GRID, true, show.Line(f"parts/{name}", "mean of all fits", "--", show.COLORS[1])), y_lim=(-1.7, 1.7)
        )
        for name in SHOWN
    ]
    return show.page(few, mean, size=(2.5, 1.9), x_label="x", y_label=("twenty fits", "y"))


def parts_page() -> show.Draw:
    """Bias and variance by penalty: counted (dots) and in closed form (lines)."""
    names = {"bias2": "bias²", "variance": "variance", "sum": "bias² + variance"}
    colors = dict(zip(names, show.COLORS, strict=False))
    exact = [show.Line(f"parts/exact {part}", name, color=colors[part]) for part, name in names.items()]
    counted = [show.Line(f"parts/counted {part}", style="o", color=colors[part]) for part in names]
    panel = show.lines(
        *(np.log(PENALTIES), *exact, *counted),
        **{"x_label": "ln penalty", "y_label": "squared error, mean over x", "title": "Dots: counted; lines: exact"},
        **{"y_scale": "log", "y_lim": (1e-5, 1), "verticals": {"": "parts/best"}, "legend": "upper left"},
    )
    return show.page([panel], size=(4.6, 3.3))


if __name__ == "__main__":
    run.main(__name__)
