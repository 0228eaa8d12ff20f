"""Autoregressive pixels: pictures told level by level, with exact likelihoods."""
