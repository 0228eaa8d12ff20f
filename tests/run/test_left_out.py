"""What checkpoints leave out: what can be made anew is made so, bit for bit; a replay only where a person says so.

A learner with random features of the data, which are a function of key and data, a table that it fills in every other
pair of steps, and a replay from which it draws.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import run
from adl.core import Algorithm, Mean, Rebuildable, buffer, fsdp, jitted, make_mesh, over_seeds, sharded
from adl.run.checkpoint import Checkpoints
from adl.run.record import read_rows

KEY = jax.random.key(3)
B, D, STEPS = 8, 3, 8


class State(NamedTuple):
    """Of `learner`."""

    weights: jax.Array  # [D]
    features: Rebuildable  # [D, D] from beginning to end
    table: Rebuildable  # [B, D] filled in steps 0, 1 and 4, 5; read in 1, 2 and 5, 6; empty before step 3 and 7
    replay: buffer.Buffer
    count: jax.Array


AXES = State(None, None, None, buffer.AXES, None)


def batch(step: int) -> np.ndarray:
    return np.random.default_rng(step).normal(size=(B, D)).astype("f")


def learner() -> Algorithm:
    def init(key, x):
        noise_key, key = jax.random.split(key)
        return State(
            weights=jax.random.normal(key, (D,)),
            features=Rebuildable.initial(jax.random.normal(noise_key, (D, D)) + x.mean()),
            table=Rebuildable.initial(jnp.zeros((B, D))),
            replay=buffer.create(x, 4 * B),
            count=jnp.zeros((), jnp.int32),
        )

    def step(key, state, x):
        replay = buffer.add(state.replay, x)
        drawn = buffer.sample(key, replay, B)
        told = jnp.tanh(drawn @ state.features.value) + state.table.value + state.weights[None]
        place = state.count % 4
        table = jax.lax.switch(
            jnp.array([0, 0, 1, 2])[place],
            [
                lambda: Rebuildable.in_use(state.table.value + x),
                lambda: Rebuildable.initial(jnp.zeros((B, D))),
                lambda: state.table,
            ],
        )
        weights = 0.9 * state.weights + 0.1 * told.mean(0)
        return State(weights, state.features, table, replay, state.count + 1), {"loss": Mean.of(jnp.square(told))}

    return Algorithm(init, step, AXES)


def written(checkpoints: Checkpoints, step: int) -> set[str]:
    """Paths of what a checkpoint holds."""
    found = checkpoints._manager.item_metadata(step).tree
    return {name for part in found.values() for name in jax.tree.leaves(names(part))}


def names(part, prefix=""):
    if not isinstance(part, dict):
        return prefix[1:] if part != () else None
    return [names(value, f"{prefix}/{name}") for name, value in part.items()]


LIFTS = {
    "one device": jitted,
    "seeds": lambda alg: jitted(over_seeds(alg, 2)),
    "fsdp": lambda alg: sharded(alg, make_mesh(devices=jax.devices()[:4]), fsdp),
}


@pytest.mark.parametrize("lift", LIFTS)
def test_resume_is_bit_equal_at_every_step_though_it_was_left_out(tmp_path, lift):
    alg = LIFTS[lift](learner())
    key = jax.random.fold_in(KEY, 99)

    def begun():
        return alg.init(key, batch(0))

    def copied(state):
        return jax.tree.map(np.asarray, state)

    checkpoints = Checkpoints(tmp_path, keep=STEPS + 1)
    state, straight = begun(), []
    for step in range(STEPS + 1):
        straight.append(copied(state))
        checkpoints.save(step, state)
        checkpoints.wait()  # the next step takes the state's buffers
        state, _ = alg.step(jax.random.fold_in(KEY, step), state, batch(step))
    for step in range(STEPS + 1):
        state = checkpoints.restore(step, begun())
        jax.tree.map(np.testing.assert_array_equal, copied(state), straight[step])
        for later in range(step, min(step + 3, STEPS)):
            state, _ = alg.step(jax.random.fold_in(KEY, later), state, batch(later))
            jax.tree.map(np.testing.assert_array_equal, copied(state), straight[later + 1])
        has = written(checkpoints, step)
        assert not {name for name in has if name.startswith("features/value")}
        assert ("table/value" in has) == (step % 4 in (1, 2)), "while it is in use, and only then"
        assert {"weights", "replay/items", "table/is_initial"} <= has
    checkpoints.close()


def test_what_calls_itself_initial_is_what_init_makes():
    alg = jitted(learner())
    state = alg.init(KEY, batch(0))
    first = jax.tree.map(np.asarray, state)
    for step in range(STEPS):
        state, _ = alg.step(jax.random.fold_in(KEY, step), state, batch(step))
        for name in ("features", "table"):
            now = getattr(state, name)
            assert np.array_equal(now.value, getattr(first, name).value) == bool(now.is_initial)


@dataclass(frozen=True)
class Config(run.Config):
    """The learner, run."""

    any_length = True
    num_steps: run.Count = 12
    batch_size: run.Count = B
    log_every: run.Count = 2
    eval_every: run.Count = 4
    checkpoint_every: run.Count = 4


class Noise:
    """Batches."""

    def __getitem__(self, step):
        return batch(step)


def build(config, loaded, axis):
    def look(key, state):
        return {"loss": Mean.of(jnp.square(state.weights))}

    return run.Experiment(learner(), Noise(), {"test": look}, {"last": look})


def launch(folder, *words):
    run.main(__name__, ["--workdir", str(folder), "--lift", "jit", *words])
    return read_rows(folder / "metrics.jsonl")


def test_a_replay_is_saved(tmp_path):
    straight = launch(tmp_path / "straight")
    launch(tmp_path / "run", "--num_steps", "8")
    resumed = launch(tmp_path / "run")
    assert [row for row in resumed if not (row["step"] == 8 and "last/loss" in row)] == straight


@pytest.mark.parametrize("words", [(), ("--num_seeds", "2")])
def test_a_run_that_leaves_its_replay_out_says_so_in_its_rows(tmp_path, words):
    """It is another run than the straight one, from where the replay began anew."""
    words = ("--leave_out", "replay", *words)
    straight = launch(tmp_path / "straight", *words)
    launch(tmp_path / "run", "--num_steps", "8", *words)
    rows = launch(tmp_path / "run", *words)
    assert not any("anew/replay" in row for row in straight)
    told = [row.get("anew/replay") for row in rows if "train/loss" in row or "last/loss" in row]
    eight = [8.0, 8.0] if "--num_seeds" in words else 8.0
    assert told == [None] * 5 + [eight] * 3
    assert rows[:5] == straight[:5] and rows[-1] != {**straight[-1], "anew/replay": eight}
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    assert not {name for name in written(checkpoints, 12) if name.startswith("replay")}
    checkpoints.close()


def test_a_part_that_is_not_there_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        launch(tmp_path / "run", "--leave_out", "replays")
    said = "error: --leave_out replays: the state has no such part; did you mean replay?"
    assert stop.value.code == 2 and said in capsys.readouterr().err and not (tmp_path / "run").exists()
