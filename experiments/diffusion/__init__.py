"""Diffusion: digits out of noise, by class, with guidance."""
