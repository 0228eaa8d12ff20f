"""`python -m experiments.latent` is `python -m experiments.latent.mixture`."""

from adl import run

run.main("experiments.latent.mixture")
