"""`python -m experiments.graphical` is `python -m experiments.graphical.hmm`."""

from adl import run

run.main("experiments.graphical.hmm")
