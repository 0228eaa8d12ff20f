"""Linear models of numbers and of two sides of a line, and Gaussian processes."""

import jax.numpy as jnp
import numpy as np
import optax

from adl.core import Algorithm
from adl.linear import bayes, covariance, gaussian_process, glm, latent_process
from adl.linear.bias_variance import decomposition
from adl.linear.generative import gaussian_classes
from adl.linear.perceptron import perceptron
from adl.linear.regression import least_squares, lms, ridge
from tests.case import POINTS, WEIGHTS, Case


def line(step: int) -> dict[str, np.ndarray]:
    x = POINTS[step % 4]
    return {"x": x, "y": x @ np.array([1, -2], "f"), "mask": WEIGHTS[16:32] + 0.5}


def shrinking(step: int) -> np.ndarray:
    """Data sets, with less noise in the second half of the steps."""
    return POINTS[step % 4] / (1 + step // 20)


def sides(step: int) -> dict[str, np.ndarray]:
    """Points, and the side of a line that they are on."""
    x = POINTS[step % 4]
    return {"x": x, "label": (x[:, 0] > 2 * x[:, 1]).astype(np.int32), "mask": WEIGHTS[16:32] + 0.5}


def all_sides(step: int) -> dict[str, np.ndarray]:
    """All points at every step."""
    batch = {"x": POINTS.reshape(-1, 2), "mask": WEIGHTS}
    return {**batch, "y": (batch["x"][:, 0] > 2 * batch["x"][:, 1]).astype(np.int32)}


def fits(axis: str | None) -> Algorithm:
    return decomposition(lambda x: x[None] * jnp.array([[0.5], [2.0]]), jnp.zeros(2), axis=axis)


def process(axis: str | None) -> Algorithm:
    """Length and variance of a process, and the noise about it."""

    def model(theta):
        return covariance.scaled(covariance.squared_exponential(theta["length"]), theta["variance"]), theta["noise"]

    start = {"length": jnp.ones(2), "variance": 1.0, "noise": 0.5}
    return gaussian_process.evidence_ascent(model, optax.adam(0.05), start=start, axis=axis)


def hidden_process(axis: str | None) -> Algorithm:
    return latent_process.newton(glm.bernoulli, covariance.squared_exponential(1.0), axis=axis)


def regression(noise: bayes.Noise) -> Case:
    return Case(lambda axis: bayes.bayesian_regression(noise, axis=axis), line, "loss")


def scoring(link: glm.Link) -> Case:
    """Of counts, sides or numbers: y is of any type."""
    return Case(lambda axis: glm.irls(link, penalty=1.0, axis=axis), all_sides, "loss", takes=("type",))


def classes(**options) -> Case:
    return Case(lambda axis: gaussian_classes(2, reg_covar=0.1, axis=axis, **options), sides, "loss")


CASES = {
    "bayesian_regression": regression(bayes.inverse_gamma_noise(1.0, 1.0)),
    "bayesian_regression, known noise": regression(bayes.known_noise(0.3)),
    "ridge": Case(lambda axis: ridge(1.0, axis=axis), line, "loss"),
    "least_squares": Case(lambda axis: least_squares(axis=axis), line, "loss"),
    "lms": Case(lambda axis: lms(0.1, axis=axis), line, "loss"),
    # Data sets are what the caller's own fit takes.
    "decomposition": Case(fits, shrinking, "loss", takes=("rank", "type")),
    "irls, logistic": scoring(glm.bernoulli),
    "irls, probit": scoring(glm.probit),
    "irls, softmax": scoring(glm.softmax(2)),
    "evidence_ascent": Case(process, line, "loss"),
    "latent process": Case(hidden_process, all_sides, "loss", takes=("type",)),
    "gaussian_classes": classes(),
    "gaussian_classes, tied": classes(covariance="tied"),
    "naive Bayes": classes(covariance="diag"),
    "perceptron": Case(lambda axis: perceptron(axis=axis), sides, "loss"),
}
