"""Energy-based models: densities known up to a constant, learned from the samples of their own chains."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
