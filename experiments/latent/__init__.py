"""Latent variables that are summed out: mixtures of Gaussians and of Bernoullis, principal components."""
