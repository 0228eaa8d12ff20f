"""`python -m experiments.rl` is `python -m experiments.rl.ppo`."""

from adl import run

run.main("experiments.rl.ppo")
