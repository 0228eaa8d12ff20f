"""Every step of an experiment, as it stands, compiles for a TPU slice and fits; by the TPU's own compiler.

Kept out of the default suite by its marker: `python -m pytest -m tpu`, with libtpu installed (`.[tpu]`).
"""

import importlib
import importlib.util
import math

import jax
import pytest

import experiments
from adl.run.claim import discover
from adl.run.config import Config
from adl.run.experiment import Definition
from adl.run.plan import plan
from adl.run.program import Program

pytestmark = [
    pytest.mark.tpu,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu"),
]


WITH_STEPS = [name for name, module in discover(experiments).items() if issubclass(module.Config, Config)]


@pytest.mark.parametrize("layout", ["replicated", "fsdp"])
@pytest.mark.parametrize("name", WITH_STEPS)
def test_every_default_step_compiles_and_fits(name, layout):
    module = importlib.import_module(f"experiments.{name}")
    cost = plan(Definition.of(module.__name__), module.Config(layout=layout), "v5e:2x2")
    assert cost.num_devices == 4 and cost.lift == "shard" and cost.fits
    assert math.isfinite(cost.step_time) and cost.step_time > 0
    batch = jax.tree.leaves(Program(Definition.of(module.__name__), module.Config()).experiment.batches[0])
    assert cost.batch_size == (len(batch[0]) if batch else None)
    if batch:  # who learns from data must tell the others what it learned
        assert sum(collective.sent for collective in cost.collectives) > 0
