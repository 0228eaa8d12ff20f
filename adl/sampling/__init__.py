"""Draws from densities known up to a constant, and how far such draws can be trusted."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
