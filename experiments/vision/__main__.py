"""`python -m experiments.vision` is `python -m experiments.vision.finetune`."""

from adl import run

run.main("experiments.vision.finetune")
