"""Energy-based models: densities known up to a constant, learned from the samples of their own chains."""
