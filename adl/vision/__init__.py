"""Seeing: where things are in pictures, what they are, and what networks look at."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
