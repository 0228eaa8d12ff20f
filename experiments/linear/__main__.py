"""`python -m experiments.linear` is `python -m experiments.linear.regress`."""

from adl import run

run.main("experiments.linear.regress")
