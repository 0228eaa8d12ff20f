"""`python -m experiments.supervised` is `python -m experiments.supervised.classify`."""

from adl import run

run.main("experiments.supervised.classify")
