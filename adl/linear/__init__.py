"""Linear models."""

from adl.linear.bayes import Posterior, bayesian_regression

__all__ = ["Posterior", "bayesian_regression"]
