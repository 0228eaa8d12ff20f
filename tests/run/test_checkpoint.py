"""Checkpoints: the newest and the best stay, what is damaged is seen, and a state goes back wherever it is wanted."""

import itertools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput, fsdp, layout, make_mesh, replicated, tensor
from adl.run import checkpoint
from adl.run.checkpoint import Checkpoints
from adl.run.seal import set_aside_damaged
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


def test_what_is_empty_comes_back_empty(tmp_path):
    """orbax writes no array without numbers, and games have them: a run ended with its first checkpoint."""
    state = {**STATE, "games": {"seen": np.zeros((4, 0), "f")}, "left": np.zeros(0, np.int32)}
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(3, placed("one device", state))
    checkpoints.wait()
    like = placed("one device", jax.tree.map(np.zeros_like, state))
    told = jax.eval_shape(lambda: like)
    for got in (checkpoints.restore(3, like), checkpoint.read(tmp_path / "c" / "3", told)):
        assert jax.tree.structure(got) == jax.tree.structure(state)
        jax.tree.map(np.testing.assert_array_equal, got, state)
    checkpoints.close()


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


def test_what_a_kill_left_half_written_is_removed_and_what_it_left_unsealed_set_aside(tmp_path, capsys):
    """Unsealed nothing says that it is what was written: with one bit changed it would be another state."""
    straight = launch(tmp_path / "straight")
    launch(tmp_path / "run", "--num_steps", "8")
    checkpoints = tmp_path / "run" / "checkpoints"
    (checkpoints / "8" / "digests.json").unlink()
    flip(checkpoints / "8")
    (checkpoints / "12.orbax-checkpoint-tmp").mkdir()
    capsys.readouterr()
    assert losses(launch(tmp_path / "run")).tolist() == losses(straight).tolist()
    assert "checkpoint 8 is damaged (it has no seal" in capsys.readouterr().err
    assert steps(checkpoints) == [4, 8, 12] and steps(tmp_path / "run" / "damaged") == [8]
    assert set_aside_damaged(checkpoints) == []


def test_swapped_checkpoints_are_damaged(tmp_path):
    launch(tmp_path / "run", "--num_steps", "8")
    checkpoints = tmp_path / "run" / "checkpoints"
    for old, new in (("4", "0"), ("8", "4"), ("0", "8")):
        (checkpoints / old).rename(checkpoints / new)
    lines = set_aside_damaged(checkpoints)
    assert ["it is the one of step 4" in lines[0], "it is the one of step 8" in lines[1]] == [True, True]


def test_what_was_set_aside_before_stays(tmp_path):
    launch(tmp_path / "run", "--num_steps", "4")
    for _ in range(2):
        flip(tmp_path / "run" / "checkpoints" / "4")
        launch(tmp_path / "run", "--num_steps", "4")
    assert {path.name for path in (tmp_path / "run" / "damaged").iterdir()} == {"4", "4-2"}


@pytest.mark.parametrize("seal", ["[]", "3", "null", '{"step": 8}', '{"step": 8, "files": 3}', "[" * 100_000])
def test_a_seal_that_is_none_is_damage(tmp_path, seal):
    folder = tmp_path / "checkpoints" / "8"
    folder.mkdir(parents=True)
    (folder / "digests.json").write_text(seal)
    assert "digests.json cannot be read" in set_aside_damaged(tmp_path / "checkpoints")[0]


@pytest.mark.parametrize("name", ["notes.txt", "²", "08", "-3", "x/", "1" * 30])
def test_what_is_no_checkpoint_among_them_is_named(tmp_path, capsys, name):
    directory = tmp_path / "run" / "checkpoints"
    directory.mkdir(parents=True)
    (directory / name).mkdir() if name.endswith("/") else (directory / name).touch()
    with pytest.raises(BadInput, match=f"{name.strip('/')}: it is no checkpoint; move it elsewhere"):
        set_aside_damaged(directory)


def test_a_best_metric_that_nobody_measures_is_refused(tmp_path, capsys):
    with fails(
        capsys, 2, "--best test/los:max: nothing measures it; there are train/loss, test/loss; did you mean test/loss?"
    ):
        launch(tmp_path / "run", "--best", "test/los:max")
    assert launch(tmp_path / "run", "--best", "test/loss:max")[-1]["step"] == 12
