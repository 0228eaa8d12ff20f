"""What a network does not know: predictions that say how sure they are."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
