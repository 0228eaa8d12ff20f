"""Adversarial learning: digits and a grid of Gaussians, by three games."""
