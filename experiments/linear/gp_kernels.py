"""Kernels: the functions that they allow before any data, and what six of them make of the same points.

Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, chapter 4. Functions of eight kernels are drawn; and
six kernels are fitted to the same thirty points with a gap, each with its hyper-parameters of most evidence.

    python -m experiments.linear.gp_kernels

Expected: the kernel of most evidence is also the one of least error, 0.132. 20 s of processor time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Key, Mean, optimizer
from adl.data import curves
from adl.linear import covariance
from adl.linear import gaussian_process as gp
from adl.linear.covariance import Kernel, multiplied, periodic, squared_exponential

SPACE = np.linspace(-5, 5, 201).astype("f")  # where priors are drawn
GRID = np.linspace(-1.6, 1.6, 161).astype("f")  # where posteriors are
INSIDE = np.abs(GRID) <= 1  # where there are points
PRIORS: dict[str, Kernel] = {
    "squared exponential": squared_exponential(1.0),
    "Matérn 5/2": covariance.matern(1.0, "5/2"),
    "Matérn 3/2": covariance.matern(1.0, "3/2"),
    "Matérn 1/2": covariance.matern(1.0, "1/2"),
    "rational quadratic": covariance.rational_quadratic(0.7, 0.3),
    "periodic": periodic(1.0, 2.5),
    "linear + periodic": covariance.added(covariance.linear(0.2), periodic(1.0, 2.5)),
    "wide erf network": covariance.erf_network(10.0, 10.0),
}
FITTED: dict[str, Callable[[Array], Kernel]] = {  # of one hyper-parameter each, beside the variance
    "squared exponential": squared_exponential,
    "Matérn 5/2": lambda length: covariance.matern(length, "5/2"),
    "Matérn 1/2": lambda length: covariance.matern(length, "1/2"),
    "locally periodic": lambda length: multiplied(periodic(1.0, 4 / 3), squared_exponential(2 * length)),
    "wide relu network": lambda length: covariance.relu_network(1 / length**2, 1.0),
    "wide erf network": lambda length: covariance.erf_network(1 / length**2, 1.0),
}


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claim is about."""

    ascent_steps: run.Count = 300  # towards more evidence
    learning_rate: run.Positive = 0.05  # of Adam, on logarithms; it falls to 0 along a cosine


CLAIMS = (
    run.Claim(
        **{"metric": "fits/excess", "at_most": 1.01},
        protocol="30 noisy points and a gap; rms error within them by the kernel of most evidence, over the least of 6",
        reference="1: it is the best; the mean of the six is 1.42 times the least",
    ),
)
SMOKE = {"ascent_steps": 10}


def load(cfg: Config) -> dict[str, Array]:
    """Thirty points with a gap, and the curve that they are about."""
    x, y = curves.gapped(jax.random.key(0), 30)
    return {"x": x[:, None], "y": y, "truth": curves.rising_waves(GRID)}


def build(cfg: Config, loaded: dict[str, Array], axis: str | None) -> run.Experiment:
    """Functions of many kernels before any data, of some after thirty points."""
    tx = optimizer.adam(cfg.learning_rate, optimizer.cosine(cfg.ascent_steps))
    start = {"length": 0.6, "variance": 0.5, "noise": 0.05}

    def fits(points, key, state):
        x, y, truth, seen = points["x"], points["y"], points["truth"], {}
        for name, kernel in FITTED.items():

            def make(theta, kernel=kernel):
                return covariance.scaled(kernel(theta["length"]), theta["variance"]), theta["noise"]

            path = gp.way_up(key, make, start, tx, {"x": x, "y": y}, cfg.ascent_steps)
            best, noise = make(jax.tree.map(lambda leaf: leaf[-1], path))
            picture = gp.picture(key, best, x, y, jnp.asarray(GRID[:, None]), noise_variance=noise, num_samples=6)
            error = jnp.sqrt(jnp.square(picture.mean - truth)[INSIDE].mean())
            seen |= {f"{name} {field}": value for field, value in picture._asdict().items()} | {f"{name} error": error}
        log_evidence, error = (jnp.stack([seen[f"{name} {w}"] for name in FITTED]) for w in ("log_evidence", "error"))
        return {**seen, "excess": Mean.of(error[log_evidence.argmax()] / error.min())}

    return run.Experiment(
        final={"priors": priors, "fits": Partial(fits, loaded)},
        figures=show.figures(priors=priors_page(), posteriors=posteriors_page(loaded)),
    )


def priors(key: Key, state: tuple) -> dict[str, Array]:
    """Functions before any data."""
    keys, x = dict(zip(PRIORS, jax.random.split(key, len(PRIORS)), strict=True)), SPACE[:, None]
    laws = {name: gp.MultivariateNormal(jnp.zeros(len(x)), kernel(x, x)) for name, kernel in PRIORS.items()}
    return {name: gp.sample(keys[name], law, 4) for name, law in laws.items()}


def priors_page() -> show.Draw:
    """Four functions of each kernel."""
    of = [show.lines(SPACE, show.Line(f"priors/{n}"), title=n, x_lim=(-5, 5), y_lim=(-3.4, 3.4)) for n in PRIORS]
    return show.page(of[:4], of[4:], size=(2.4, 1.9), x_label="x", y_label="f(x), drawn from the prior")


def posteriors_page(points: dict[str, Array]) -> show.Draw:
    """What six kernels make of the same points, within them, in their gap and beyond."""
    of = [
        show.process(
            *(GRID, *(f"fits/{name} {field}" for field in ("mean", "scale", "samples"))),
            **{"points": (points["x"][:, 0], points["y"]), "truth": np.where(INSIDE, points["truth"], np.nan)},
            title=f"{name}\nlog p(y) {{fits/{name} log_evidence:.1f}} nats, error {{fits/{name} error:.3f}}",
            y_lim=(-2.4, 2.4),
        )
        for name in FITTED
    ]
    return show.page(of[:3], of[3:], size=(3.0, 2.2), x_label="x", y_label="y")


if __name__ == "__main__":
    run.main(__name__)
