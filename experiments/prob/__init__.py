"""Probability: the bias of maximum likelihood, conjugate posteriors, nonparametric densities."""
