"""Draws from densities known up to a constant, and how far such draws can be trusted."""
