"""Latent variables: mixtures, factors, components."""

import numpy as np

from adl.core import Algorithm
from adl.latent import bernoulli, factors, holes, ica, kmeans, mixture, online, principal, randomised, variational
from tests.case import IMAGES, WEIGHTS, Case, cloud, holed

SIGNALS = (np.random.default_rng(1).laplace(size=(64, 2)) @ np.array([[1.0, 0.6], [0.2, 1.0]])).astype("f")


def signals(step: int) -> dict[str, np.ndarray]:
    """Two heavy-tailed sources, mixed."""
    return {"x": SIGNALS, "mask": WEIGHTS}


def bits(step: int) -> dict[str, np.ndarray]:
    """64 binary pictures at every step."""
    return {"x": (IMAGES.reshape(64, 64) > 127).astype("f"), "mask": WEIGHTS}


def gaussians(covariance: str) -> Case:
    def make(axis: str | None) -> Algorithm:
        return mixture.gaussian_mixture(3, covariance=covariance, reg_covar=1e-3, axis=axis)

    return Case(make, cloud, "loss")


CASES = {
    "kmeans": Case(lambda axis: kmeans.kmeans(3, axis=axis), cloud, "loss"),
    "gaussian_mixture, full": gaussians("full"),
    "gaussian_mixture, tied": gaussians("tied"),
    "gaussian_mixture, diag": gaussians("diag"),
    "gaussian_mixture, spherical": gaussians("spherical"),
    "variational_mixture": Case(lambda axis: variational.variational_mixture(3, axis=axis), cloud, "loss"),
    "bernoulli_mixture": Case(lambda axis: bernoulli.bernoulli_mixture(2, axis=axis), bits, "loss"),
    "mixture_with_holes": Case(lambda axis: holes.mixture_with_holes(2, axis=axis), holed, "loss"),
    "pca": Case(lambda axis: principal.pca(1, axis=axis), cloud, "loss"),
    "randomised_pca": Case(lambda axis: randomised.randomised_pca(1, num_oversamples=0, axis=axis), cloud, "loss"),
    "hebbian": Case(lambda axis: online.hebbian(1, lambda step: 0.1 / (1 + 0.1 * step), axis=axis), cloud, "loss"),
    "factor_analysis": Case(lambda axis: factors.factor_analysis(1, axis=axis), cloud, "loss"),
    "factor_mixture": Case(lambda axis: factors.factor_mixture(2, 1, axis=axis), cloud, "loss"),
    "fast_ica": Case(lambda axis: ica.fast_ica(2, axis=axis), signals, "loss"),
}
