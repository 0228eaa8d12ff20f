"""The only impure package: configuration, the loop, records, checkpoints, plans and plots."""

from adl.run.config import Config
from adl.run.experiment import Claim, Experiment, Outcome

__all__ = ["Claim", "Config", "Experiment", "Outcome"]
