"""`python -m experiments.sequence` is `python -m experiments.sequence.language`."""

from adl import run

run.main("experiments.sequence.language")
