"""Adversarial learning: digits, a grid of Gaussians, and pictures translated without pairs."""
