"""Autoregressive models of pictures: each pixel's levels have probabilities that follow from the pixels before it."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
