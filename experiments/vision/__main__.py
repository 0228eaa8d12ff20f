"""`python -m experiments.vision` is `python -m experiments.vision.classify`."""

from adl import run

run.main("experiments.vision.classify")
