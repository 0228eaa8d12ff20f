"""Experiments: each a claim, its configuration, the objects of a run, and nothing else."""
