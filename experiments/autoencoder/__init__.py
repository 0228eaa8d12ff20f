"""Autoencoders: variational bounds, codes out of a book, and what the latents hold."""
