"""Checkpoints: the newest and the best stay, what is damaged is seen, and a state goes back wherever it is wanted."""

import itertools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import fsdp, layout, make_mesh, replicated, tensor
from adl.run.checkpoint import Checkpoints, set_aside_damaged
from adl.run.record import read_rows
from tests.run.test_fit import fails, launch, losses

STATE = {"params": {"MLP_0": {"Dense_0": {"kernel": np.arange(128, dtype="f").reshape(8, 16)}}}, "count": np.int32(7)}
LAYOUTS = {
    "one device": (None, ()),
    "replicated": ({"data": 8}, (replicated,)),
    "fsdp": ({"data": 8}, (fsdp,)),
    "fsdp of four": ({"data": 4}, (fsdp,)),
    "tensor": ({"data": 4, "model": 2}, (tensor(),)),
    "tensor and fsdp": ({"data": 2, "model": 4}, (tensor(), fsdp)),
}


def steps(folder):
    return sorted(int(path.name) for path in folder.iterdir())


def placed(name: str, state):
    axes, layouts = LAYOUTS[name]
    if axes is None:
        return jax.tree.map(jnp.asarray, state)
    mesh = make_mesh(axes, jax.devices()[: int(np.prod(list(axes.values())))])
    return jax.device_put(state, layout.shardings(None, state, mesh, layouts))


def kept(tmp_path, best, losses):
    checkpoints = Checkpoints(tmp_path / "c", keep=2, best=best)
    for step, loss in enumerate(losses):
        checkpoints.save(step, placed("one device", STATE), {} if loss is None else {"test/loss": np.array(loss)})
    checkpoints.close()
    return steps(tmp_path / "c")


@pytest.mark.parametrize(("best", "want"), [("test/loss", [1, 4, 5]), ("test/loss:max", [2, 4, 5]), ("", [4, 5])])
def test_the_newest_and_the_best_stay(tmp_path, best, want):
    assert kept(tmp_path, best, [3.0, [0.5, 1.5], 9.0, np.nan, 2.0, None]) == want


@pytest.mark.parametrize(("written", "read"), [*itertools.permutations(LAYOUTS, 2)])
def test_a_state_goes_back_on_other_devices_bit_for_bit(tmp_path, written, read):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(3, placed(written, STATE))
    checkpoints.wait()
    like = placed(read, jax.tree.map(np.zeros_like, STATE))
    got = checkpoints.restore(3, like)
    checkpoints.close()
    jax.tree.map(np.testing.assert_array_equal, got, STATE)
    assert jax.tree.map(lambda leaf: leaf.sharding, got) == jax.tree.map(lambda leaf: leaf.sharding, like)


def largest(folder):
    """Of the files with the state: the seal, too, is large where these are many."""
    files = (path for path in (folder / "default").rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def flip(folder):
    path = largest(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return f"{path.relative_to(folder)} is not what was written"


def cut(folder):
    path = largest(folder)
    os.truncate(path, path.stat().st_size // 2)
    return f"{path.relative_to(folder)} is not what was written"


def remove(folder):
    path = largest(folder)
    path.unlink()
    return f"{path.relative_to(folder)} is missing"


def unseal(folder):
    (folder / "digests.json").write_text("{")
    return "digests.json cannot be read"


@pytest.mark.parametrize("spoil", [flip, cut, remove, unseal])
def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path, capsys, spoil):
    straight = launch(tmp_path / "straight")
    folder = tmp_path / "run"
    launch(folder, "--num_steps", "8")
    assert steps(folder / "checkpoints") == [4, 8]
    reason = spoil(folder / "checkpoints" / "8")
    capsys.readouterr()
    resumed = launch(folder)
    said = capsys.readouterr().err
    assert f"checkpoint 8 is damaged ({reason}); it is now {folder / 'damaged' / '8'}" in said
    np.testing.assert_array_equal(losses(resumed), losses(straight))
    assert steps(folder / "checkpoints") == [4, 8, 12] and steps(folder / "damaged") == [8]


def test_where_all_are_damaged_the_run_begins_anew(tmp_path):
    straight = launch(tmp_path / "straight")
    for step in (4, 8, 12):
        flip(tmp_path / "straight" / "checkpoints" / str(step))
    assert launch(tmp_path / "straight") == straight


def test_what_a_kill_left_half_written_or_unsealed_is_no_damage(tmp_path):
    launch(tmp_path / "run", "--num_steps", "8")
    checkpoints = tmp_path / "run" / "checkpoints"
    (checkpoints / "8" / "digests.json").unlink()
    (checkpoints / "12.orbax-checkpoint-tmp").mkdir()
    assert set_aside_damaged(checkpoints) == []
    rows = launch(tmp_path / "run")
    assert rows == read_rows(tmp_path / "run" / "metrics.jsonl") and steps(checkpoints) == [4, 8, 12]
    assert json.loads((checkpoints / "8" / "digests.json").read_text())


def test_a_best_metric_that_nobody_measures_is_refused(tmp_path, capsys):
    with fails(capsys, 2, "--best test/los:max: probes measure test/loss; did you mean test/loss?"):
        launch(tmp_path / "run", "--best", "test/los:max")
    assert launch(tmp_path / "run", "--best", "test/loss:max")[-1]["step"] == 12
