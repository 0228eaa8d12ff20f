"""Batches of several shapes: a run of them, and what it cannot have."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from adl import run
from adl.core import Algorithm, Mean
from adl.data import Split, ragged
from adl.data.split import stacked
from tests.run.test_fit import fails

SPLIT = Split(stacked([{"token": np.arange(1 + n % 7, dtype=np.int32)} for n in range(40)]))


@dataclasses.dataclass(frozen=True)
class Config(run.Config):
    """Sums of rows."""

    num_steps: run.Count = 8
    batch_size: run.Count = 4


def build(config, loaded, axis):
    def step(key, state, batch):
        return state + 1, {"loss": Mean.of(batch["token"].astype(jnp.float32), batch["mask"])}

    batches = ragged.bucketed(SPLIT, "token", batch_size=config.batch_size, lengths=(3, 7))
    return run.Experiment(Algorithm(lambda key, batch: jnp.zeros(()), step), batches)


def test_several_shapes_are_steps_of_their_own(tmp_path, capsys):
    run.main(__name__, ["--workdir", str(tmp_path / "run"), "--lift", "jit"])
    assert capsys.readouterr().err.splitlines()[-1].startswith("done: ")
    with fails(capsys, 2, "--steps_per_call 3: it must be 1, for batches differ in shape"):
        run.main(__name__, ["--workdir", str(tmp_path / "scan"), "--lift", "jit", "--steps_per_call", "3"])
    assert not (tmp_path / "scan").exists()
