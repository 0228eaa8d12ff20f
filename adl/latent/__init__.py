"""Latent variables that are summed out: clusters, mixtures, components and factors, fitted by counting."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
