"""Flows: invertible networks, whose density is exact and whose samples take one way back."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
