"""Worlds that agents move in: one file a world, in the graph unless it cannot be; and what may be laid around one."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
