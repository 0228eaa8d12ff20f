"""Energies: densities learned from the samples of their own chains."""
