"""`python -m experiments.uncertainty` is `python -m experiments.uncertainty.ensemble`."""

from adl import run

run.main("experiments.uncertainty.ensemble")
