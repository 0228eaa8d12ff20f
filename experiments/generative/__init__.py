"""Generative models side by side: one page of samples, likelihoods, distances and seconds."""
