"""Linear models, by penalty, by class and by Gaussian process: regression, its bias and variance, classification."""
