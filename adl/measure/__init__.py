"""What a result is judged by, and the probes made of it: pure functions, each against an oracle."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
