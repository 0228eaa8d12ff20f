"""Adversarial learning: a generator against a discriminator. Objective, penalties and networks are free choices."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
