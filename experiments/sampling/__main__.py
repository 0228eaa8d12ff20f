"""`python -m experiments.sampling` is `python -m experiments.sampling.nuts`."""

from adl import run

run.main("experiments.sampling.nuts")
