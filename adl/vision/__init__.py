"""Seeing: the tasks of computer vision, each as a factory, its mathematics, and what networks look at."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
