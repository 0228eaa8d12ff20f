"""What a network does not know: predictions that say how sure they are."""

from adl.uncertainty.ensemble import Uncertainty, disagreement, mixture_log_prob, uncertainty

__all__ = ["Uncertainty", "disagreement", "mixture_log_prob", "uncertainty"]
