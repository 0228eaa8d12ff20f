"""Blocks of networks that two or more families use: flax.linen modules and embeddings."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
