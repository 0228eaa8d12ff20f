"""The contract: algorithms as pairs of pure functions, means as a monoid, and lifts that run them anywhere."""

from adl.core import buffer, layout, lift, tree
from adl.core.gradient import average_params, averaged, descend, scale_gradient
from adl.core.layout import data_mesh, fsdp, make_mesh, replicated, tensor
from adl.core.lift import (
    alternate,
    beside,
    ensemble,
    jitted,
    over_devices,
    over_seeds,
    over_values,
    repeated,
    sharded,
    trace,
)
from adl.core.statistics import accumulate, full_pass, gathered, standardise
from adl.core.types import Algorithm, BadInput, Batch, Key, Learner, Lift, Mean, Metrics, Probe, PyTree, State

__all__ = [
    "Algorithm",
    "BadInput",
    "Batch",
    "Key",
    "Learner",
    "Lift",
    "Mean",
    "Metrics",
    "Probe",
    "PyTree",
    "State",
    "accumulate",
    "alternate",
    "average_params",
    "averaged",
    "beside",
    "buffer",
    "data_mesh",
    "descend",
    "ensemble",
    "fsdp",
    "full_pass",
    "gathered",
    "jitted",
    "layout",
    "lift",
    "make_mesh",
    "over_devices",
    "over_seeds",
    "over_values",
    "repeated",
    "replicated",
    "scale_gradient",
    "sharded",
    "standardise",
    "tensor",
    "trace",
    "tree",
]
