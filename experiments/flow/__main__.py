"""`python -m experiments.flow` is `python -m experiments.flow.plane`."""

from adl import run

run.main("experiments.flow.plane")
