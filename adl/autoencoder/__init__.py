"""Autoencoders: latent codes, and the densities they bound."""
