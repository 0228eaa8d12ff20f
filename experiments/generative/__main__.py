"""`python -m experiments.generative` is `python -m experiments.generative.compare`."""

from adl import run

run.main("experiments.generative.compare")
