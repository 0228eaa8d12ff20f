"""Autoencoders: variational bounds and what the latents hold."""
