"""The only impure package: configuration, the loop, records, checkpoints, plans and plots."""

from adl.run.config import Averaged, Config, Optimised, Study, Views
from adl.run.experiment import Claim, Definition, Experiment, Outcome
from adl.run.launch import main
from adl.run.ranges import (
    Count,
    Fraction,
    Natural,
    NonNegative,
    Number,
    Positive,
    Positives,
    Range,
    Rate,
    Several,
    Split,
    Widths,
    at_most,
    below,
    divisor_of,
    multiple_of,
)

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
    "Number",
    "Optimised",
    "Outcome",
    "Positive",
    "Positives",
    "Range",
    "Rate",
    "Several",
    "Split",
    "Study",
    "Views",
    "Widths",
    "at_most",
    "below",
    "divisor_of",
    "main",
    "multiple_of",
]
