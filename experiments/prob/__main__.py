"""`python -m experiments.prob` is `python -m experiments.prob.estimation`."""

from adl import run

run.main("experiments.prob.estimation")
