"""`python -m experiments.energy` is `python -m experiments.energy.density`."""

from adl import run

run.main("experiments.energy.density")
