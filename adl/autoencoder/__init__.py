"""Autoencoders: latent codes, and the densities they bound."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
