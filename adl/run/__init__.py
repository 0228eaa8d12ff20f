"""The only impure package: configuration, the loop, records, checkpoints, plans and plots."""

from adl.run.config import Config, Count, Fraction, Natural, NonNegative, Positive, Rate, Study
from adl.run.experiment import Claim, Definition, Experiment, Outcome
from adl.run.launch import main

__all__ = [
    "Claim",
    "Config",
    "Count",
    "Definition",
    "Experiment",
    "Fraction",
    "Natural",
    "NonNegative",
    "Outcome",
    "Positive",
    "Rate",
    "Study",
    "main",
]
