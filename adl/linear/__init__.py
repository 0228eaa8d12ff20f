"""Linear models."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
