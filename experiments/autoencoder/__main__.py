"""`python -m experiments.autoencoder` is `python -m experiments.autoencoder.vae`."""

from adl import run

run.main("experiments.autoencoder.vae")
