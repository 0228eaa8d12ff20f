"""Sequences: models of what comes next."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
