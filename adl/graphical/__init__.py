"""Graphical models: what a joint distribution's factors say of independence, and inference that follows the graph."""

from adl.graphical.baum_welch import HMM, baum_welch
from adl.graphical.directed import Directed, d_separated
from adl.graphical.factor_graph import FactorGraph, belief_propagation
from adl.graphical.hmm import Chain
from adl.graphical.ising import Ising, gibbs, icm, mean_field
from adl.graphical.kalman import LDS
from adl.graphical.lds_em import lds_em

__all__ = [
    "HMM",
    "LDS",
    "Chain",
    "Directed",
    "FactorGraph",
    "Ising",
    "baum_welch",
    "belief_propagation",
    "d_separated",
    "gibbs",
    "icm",
    "lds_em",
    "mean_field",
]
