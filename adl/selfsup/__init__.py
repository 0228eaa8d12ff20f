"""Representations learned without labels: from what views of a picture share, and from their own clusters."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
