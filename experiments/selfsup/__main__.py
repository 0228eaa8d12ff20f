"""`python -m experiments.selfsup` is `python -m experiments.selfsup.byol`."""

from adl import run

run.main("experiments.selfsup.byol")
