"""Latent variables that are summed out: clusters and mixtures, fitted by counting."""

from adl.latent.kmeans import kmeans
from adl.latent.mixture import Mixture, gaussian_mixture

__all__ = ["Mixture", "gaussian_mixture", "kmeans"]
