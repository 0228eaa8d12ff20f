"""Latent variables that are summed out: clusters, mixtures, components and factors, fitted by counting."""

from adl.latent.bernoulli import BernoulliMixture, bernoulli_mixture
from adl.latent.factors import Factors, factor_analysis, factor_mixture, ppca
from adl.latent.ica import fast_ica
from adl.latent.kmeans import kmeans
from adl.latent.mixture import Mixture, gaussian_mixture
from adl.latent.online import hebbian
from adl.latent.principal import Components, pca
from adl.latent.randomised import randomised_pca
from adl.latent.variational import variational_mixture

__all__ = [
    "BernoulliMixture",
    "Components",
    "Factors",
    "Mixture",
    "bernoulli_mixture",
    "factor_analysis",
    "factor_mixture",
    "fast_ica",
    "gaussian_mixture",
    "hebbian",
    "kmeans",
    "pca",
    "ppca",
    "randomised_pca",
    "variational_mixture",
]
