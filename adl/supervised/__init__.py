"""Learning from labels."""

from adl.supervised.classification import classifier, cross_entropy, evaluation, is_correct

__all__ = ["classifier", "cross_entropy", "evaluation", "is_correct"]
