"""Graphical models: what a joint distribution's factors say of independence, and inference that follows the graph."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
