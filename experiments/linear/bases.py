"""Bases of curves: what five make of the same thirty points, and the degree of a polynomial that the evidence chooses.

Bishop 2006, Pattern Recognition and Machine Learning, sections 3.1 and 3.5. Curves are linear in functions of a number;
their precisions, and the degree of a polynomial, are those of most evidence, without a test set.

    python -m experiments.linear.bases

Expected: the degree of most evidence of ten has 1.15 times the least error. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean
from adl.data import curves
from adl.linear import basis, evidence, regression
from adl.linear.basis import with_one

GRID, CENTRES = np.linspace(-1, 1, 201).astype("f"), np.linspace(-1, 1, 9).astype("f")
DEGREES = tuple(range(10))
BASES = {
    "polynomial": lambda x: basis.polynomial(x, 8),
    "Gaussian": lambda x: with_one(basis.gaussian(x, CENTRES, 0.25)),
    "sigmoid": lambda x: with_one(basis.sigmoid(x, CENTRES, 0.12)),
    "Fourier": lambda x: basis.fourier(x, 4, 2.5),
    "spline": lambda x: basis.spline(x, basis.clamped(jnp.linspace(-1, 1, 7)), 3),
}


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claim is about."""

    noise: run.Positive = 0.15  # standard deviation of the points about the curve
    loose: run.Positive = 1e-3  # prior precision that posteriors begin with, and the evidence takes out again


CLAIMS = (
    run.Claim(
        metric="degrees/excess",
        at_most=1.16,
        protocol="30 noisy points with a gap; rms error of least squares in the degree of most evidence, of 0 to 9, "
        "over the least error",
        reference="1: it is the best; of degree 9 1.28",
    ),
)
SMOKE = {}
SWEEP = "loose=0.001,0.01"  # of the tests


def load(cfg: Config) -> tuple[Array, Array]:
    """Thirty points with a gap."""
    return curves.gapped(jax.random.key(0), 30, noise=cfg.noise)


def build(cfg: Config, loaded: tuple[Array, Array], axis: str | None) -> run.Experiment:
    """Curves in five bases, and in ten degrees."""
    truth = curves.rising_waves(GRID)

    def learn(x, y):
        posterior = evidence.learned(x, y, prior_precision=cfg.loose)
        return posterior, evidence.maximise(posterior, prior_precision=cfg.loose)

    def bases(points, key, state):
        (x, y), seen = points, {}
        for name, features in BASES.items():
            posterior, best = learn(features(x), y)
            prediction = evidence.predict(posterior, best, features(jnp.asarray(GRID)), prior_precision=cfg.loose)
            error = jnp.sqrt(jnp.square(prediction.mean - truth).mean())
            seen |= {f"{name} mean": prediction.mean, f"{name} scale": prediction.scale, f"{name} error": error}
            seen[f"{name} functions"] = features(jnp.asarray(GRID)).T
        return seen

    def degrees(points, key, state):
        """Of polynomials in rising degree: log evidence, and error within and without the points."""
        (x, y), found = points, []
        for degree in DEGREES:
            phi, grid = (basis.polynomial(jnp.asarray(z), degree) for z in (x, GRID))
            away = (regression.smoother(phi, z, 0.0) @ y - t for z, t in ((phi, y), (grid, truth)))
            found.append([learn(phi, y)[1].log_evidence, *(jnp.sqrt(jnp.square(error).mean()) for error in away)])
        log_evidence, fit, error = jnp.asarray(found).T
        best = log_evidence.argmax()
        seen = {"log_evidence": log_evidence, "fit": fit, "error": error, "best": best}
        return {**seen, "excess": Mean.of(error[best] / error.min())}

    return run.Experiment(
        final={"bases": Partial(bases, loaded), "degrees": Partial(degrees, loaded)},
        figures=show.figures(bases=bases_page(loaded, truth), degrees=degrees_page(cfg.noise)),
    )


def bases_page(points: tuple[Array, Array], truth: Array) -> show.Draw:
    """Five bases, and what they make of the same thirty points: mean and two deviations of the next."""
    functions = [show.lines(GRID, show.Line(f"bases/{name} functions"), title=name) for name in BASES]
    fits = [
        show.process(
            *(GRID, f"bases/{name} mean", f"bases/{name} scale"),
            **{"points": points, "truth": truth, "words": ("posterior mean", "± 2 sd of the next point", "")},
            **{"title": f"error {{bases/{name} error:.3f}}", "y_lim": (-2.2, 2.2)},
        )
        for name in BASES
    ]
    return show.page(functions, fits, size=(2.2, 1.9), x_label="x", y_label=("basis functions", "y"))


def degrees_page(noise: float) -> show.Draw:
    """Which degree the points speak for, without a test set."""
    evidence_ = show.lines(
        *(DEGREES, show.Line("degrees/log_evidence", style="o-")),
        **{"x_label": "degree", "y_label": "log p(y), nats", "title": "Evidence", "verticals": {"": "degrees/best"}},
    )
    error = show.lines(
        DEGREES,
        show.Line("degrees/fit", "points that were fitted", "o-"),
        show.Line("degrees/error", "the true curve", "o-"),
        **{"x_label": "degree", "y_label": "distance of least squares (rms)", "y_scale": "log", "title": "Error"},
        **{"legend": "best", "horizontals": {"noise": noise}},
    )
    return show.page([evidence_, error], size=(3.3, 2.6))


if __name__ == "__main__":
    run.main(__name__)
