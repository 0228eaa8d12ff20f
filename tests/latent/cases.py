"""Latent variables: mixtures, factors, components."""

import numpy as np

from adl import latent
from adl.core import Algorithm
from tests.case import IMAGES, WEIGHTS, Case, cloud

SIGNALS = (np.random.default_rng(1).laplace(size=(64, 2)) @ np.array([[1.0, 0.6], [0.2, 1.0]])).astype("f")


def signals(step: int) -> dict[str, np.ndarray]:
    """Two heavy-tailed sources, mixed."""
    return {"x": SIGNALS, "mask": WEIGHTS}


def bits(step: int) -> dict[str, np.ndarray]:
    """64 binary pictures at every step."""
    return {"x": (IMAGES.reshape(64, 64) > 127).astype("f"), "mask": WEIGHTS}


def mixture(covariance: str) -> Case:
    def make(axis: str | None) -> Algorithm:
        return latent.gaussian_mixture(3, covariance=covariance, reg_covar=1e-3, axis=axis)

    return Case(make, cloud, "loss")


CASES = {
    "kmeans": Case(lambda axis: latent.kmeans(3, axis=axis), cloud, "loss"),
    "gaussian_mixture, full": mixture("full"),
    "gaussian_mixture, tied": mixture("tied"),
    "gaussian_mixture, diag": mixture("diag"),
    "gaussian_mixture, spherical": mixture("spherical"),
    "variational_mixture": Case(lambda axis: latent.variational_mixture(3, axis=axis), cloud, "loss"),
    "bernoulli_mixture": Case(lambda axis: latent.bernoulli_mixture(2, axis=axis), bits, "loss"),
    "pca": Case(lambda axis: latent.pca(1, axis=axis), cloud, "loss"),
    "randomised_pca": Case(lambda axis: latent.randomised_pca(1, num_oversamples=0, axis=axis), cloud, "loss"),
    "hebbian": Case(lambda axis: latent.hebbian(1, lambda step: 0.1 / (1 + 0.1 * step), axis=axis), cloud, "loss"),
    "factor_analysis": Case(lambda axis: latent.factor_analysis(1, axis=axis), cloud, "loss"),
    "factor_mixture": Case(lambda axis: latent.factor_mixture(2, 1, axis=axis), cloud, "loss"),
    "fast_ica": Case(lambda axis: latent.fast_ica(2, axis=axis), signals, "loss"),
}
