"""Learning from labels."""

from adl.supervised.classification import classifier, evaluation

__all__ = ["classifier", "evaluation"]
