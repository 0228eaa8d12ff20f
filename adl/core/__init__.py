"""The contract: algorithms as pairs of pure functions, means as a monoid, and lifts that run them anywhere."""

from adl.core import lift, tree
from adl.core.gradient import average_params, averaged, descend, scale_gradient
from adl.core.lift import (
    alternate,
    data_mesh,
    fsdp,
    jitted,
    over_devices,
    over_seeds,
    over_values,
    repeated,
    replicated,
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
    "data_mesh",
    "descend",
    "fsdp",
    "full_pass",
    "gathered",
    "jitted",
    "lift",
    "over_devices",
    "over_seeds",
    "over_values",
    "repeated",
    "replicated",
    "scale_gradient",
    "sharded",
    "standardise",
    "trace",
    "tree",
]
