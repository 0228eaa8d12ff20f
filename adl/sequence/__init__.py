"""Sequences: models of what comes next."""
