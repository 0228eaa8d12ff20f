"""Reinforcement learning: agents that move on what their own actions bring about."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
