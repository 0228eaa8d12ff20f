"""The only impure package: configuration, the loop, records, checkpoints, plans and plots."""

from adl.run.config import Averaged, Config, Optimised, Parts, Pictured, Sourced, Study, Table, Views
from adl.run.experiment import Claim, Definition, Experiment, Outcome
from adl.run.launch import main
<<<<<<< HEAD
from adl.run.offer import Cells, Choice, Images, Maps, Offer, Repeats, Text
=======
from adl.run.offer import Cells, Choice, Films, Images, Offer, Repeats, Text
>>>>>>> motion
from adl.run.ranges import (
    Count,
    Eights,
    Fraction,
    Logarithm,
    Natural,
    NonNegative,
    Number,
    Points,
    Positive,
    Positives,
    Range,
    Rate,
    Several,
    Share,
    Split,
    Widths,
    at_most,
    below,
    divisor_of,
    multiple_of,
)
from adl.run.trained import Trained
from adl.run.trained import trained_run as load

__all__ = [
    "Averaged",
    "Cells",
    "Choice",
    "Claim",
    "Config",
    "Count",
    "Definition",
    "Eights",
    "Experiment",
    "Films",
    "Fraction",
    "Images",
    "Logarithm",
    "Maps",
    "Natural",
    "NonNegative",
    "Number",
    "Offer",
    "Optimised",
    "Outcome",
    "Parts",
    "Pictured",
    "Pictures",
    "Points",
    "Positive",
    "Positives",
    "Range",
    "Rate",
    "Repeats",
    "Several",
    "Share",
    "Sourced",
    "Split",
    "Study",
    "Table",
    "Text",
    "Trained",
    "Views",
    "Widths",
    "at_most",
    "below",
    "divisor_of",
    "load",
    "main",
    "multiple_of",
]
