"""Graphical models: what a joint distribution's factors say of independence, and inference that follows the graph."""

from adl.graphical.baum_welch import HMM, baum_welch
from adl.graphical.hmm import Chain

__all__ = ["HMM", "Chain", "baum_welch"]
