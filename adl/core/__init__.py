"""The contract: algorithms as pairs of pure functions, means as a monoid, and lifts that run them anywhere."""

from adl.core import border, buffer, epochs, gradient, layout, lift, optimizer, place, probe, sources, teacher, tree
from adl.core.errors import BadInput, did_you_mean, first_line, of_extra
from adl.core.gradient import descend, forward, learning, scale_gradient
from adl.core.inheritance import handing_over
from adl.core.key import fold_in, step_keys
from adl.core.layout import data_mesh, fsdp, make_mesh, replicated, tensor
from adl.core.leave_out import leaving_out
from adl.core.lift import (
    alternate,
    beside,
    ensemble,
    in_turn,
    over_seeds,
    over_values,
    repeated,
    reporting,
    trace,
    until_still,
)
from adl.core.optimizer import average_params
from adl.core.paths import local_path
from adl.core.place import jitted, over_devices, sharded
from adl.core.probe import carrying, full_pass
from adl.core.random_batches import by_random_batches
from adl.core.rebuildable import Rebuildable
from adl.core.stages import staged
from adl.core.statistics import accumulate, gathered, standardise
from adl.core.types import (
    Algorithm,
    Batch,
    Batches,
    Key,
    Learner,
    Lift,
    Mean,
    Metrics,
    Probe,
    PyTree,
    SharedBatches,
    State,
    World,
)

__all__ = [
    "Algorithm",
    "BadInput",
    "Batch",
    "Batches",
    "Key",
    "Learner",
    "Lift",
    "Mean",
    "Metrics",
    "Probe",
    "PyTree",
    "Rebuildable",
    "SharedBatches",
    "State",
    "World",
    "accumulate",
    "alternate",
    "average_params",
    "beside",
    "border",
    "buffer",
    "by_random_batches",
    "carrying",
    "data_mesh",
    "descend",
    "did_you_mean",
    "ensemble",
    "epochs",
    "first_line",
    "fold_in",
    "forward",
    "fsdp",
    "full_pass",
    "gathered",
    "gradient",
    "handing_over",
    "in_turn",
    "jitted",
    "layout",
    "learning",
    "leaving_out",
    "lift",
    "local_path",
    "make_mesh",
    "of_extra",
    "optimizer",
    "over_devices",
    "over_seeds",
    "over_values",
    "place",
    "probe",
    "repeated",
    "replicated",
    "reporting",
    "scale_gradient",
    "sharded",
    "sources",
    "staged",
    "standardise",
    "step_keys",
    "teacher",
    "tensor",
    "trace",
    "tree",
    "until_still",
]
