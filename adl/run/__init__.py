"""The only impure package: configuration, the loop, records, checkpoints, plans and plots."""

from adl.run.config import (
    Averaged,
    Config,
    Count,
    Fraction,
    Natural,
    NonNegative,
    Optimised,
    Parts,
    Positive,
    Rate,
    Study,
    Table,
    Views,
)
from adl.run.experiment import Claim, Definition, Experiment, Outcome
from adl.run.launch import main

__all__ = [
    "Averaged",
    "Claim",
    "Config",
    "Count",
    "Definition",
    "Experiment",
    "Fraction",
    "Natural",
    "NonNegative",
    "Optimised",
    "Outcome",
    "Parts",
    "Positive",
    "Rate",
    "Study",
    "Table",
    "Views",
    "main",
]
