"""Truths about distributions that need neither parameters nor time: densities, divergences, two-sample tests."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
