"""Graphical models: what a joint distribution's factors say of independence, and inference that follows the graph."""

from adl.graphical.baum_welch import HMM, baum_welch
from adl.graphical.hmm import Chain
from adl.graphical.kalman import LDS
from adl.graphical.lds_em import lds_em

__all__ = ["HMM", "LDS", "Chain", "baum_welch", "lds_em"]
