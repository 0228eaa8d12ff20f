"""Sequences: language models, decoding, and tasks with exact answers."""
