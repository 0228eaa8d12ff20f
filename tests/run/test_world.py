"""A world outside the program: resumed is straight, bit for bit, on any devices, and no step calls the host.

Eight bandits whose arms drift: a batch depends on all that happened since their beginning, and on what was chosen,
which is what the learner thinks of the arms.
"""

import os
import signal
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data, run
from adl.core import Algorithm, Mean, accumulate
from adl.run.checkpoint import Checkpoints
from adl.run.experiment import Definition
from adl.run.program import Program
from adl.run.record import read_rows

ARMS, ROWS = 3, 8
accident = {}  # {step: signal} that comes before it


@dataclass(frozen=True)
class Config(run.Config):
    """Bandits."""

    num_steps: run.Count = 12
    batch_size: run.Count = ROWS
    log_every: run.Count = 2
    eval_every: run.Count = 4
    checkpoint_every: run.Count = 3
    best: str = "test/best:max"
    segment: run.Count = 4
    rate: run.Positive = 0.2


class Bandits(data.Outside):
    """Steps at which accidents happen."""

    def after(self, step, view):
        if step in accident:
            os.kill(os.getpid(), accident.pop(step))
        return super().after(step, view)


def bandits(generator):
    value = generator.normal(size=(ROWS, ARMS))

    def act(view):
        nonlocal value
        value = value + 0.3 * generator.normal(size=value.shape)
        explored = generator.integers(ARMS, size=ROWS)
        arm = np.where(generator.random(ROWS) < 0.2, explored, np.argmax(view, -1)).astype(np.int32)
        return {"arm": arm, "reward": value[np.arange(ROWS), arm].astype(np.float32)}

    return act


def build(config, loaded, axis):
    def measure(key, belief, batch):
        chosen = jax.nn.one_hot(batch["arm"], ARMS)
        told = (chosen * (batch["reward"][:, None] - belief[None]), chosen)
        return jax.tree.map(lambda x: x.sum(0), told), {"reward": Mean.of(batch["reward"])}

    def move(belief, sums):
        return belief + config.rate * sums[0] / jnp.maximum(sums[1], 1)

    algorithm = Algorithm(lambda key, batch: jax.random.normal(key, (ARMS,)), accumulate(measure, move, axis))
    example = {"arm": np.zeros(ROWS, np.int32), "reward": np.zeros(ROWS, np.float32)}
    world = Bandits(bandits, lambda belief: belief, example=example, segment=config.segment, seed=config.seed)
    return run.Experiment(algorithm, world, {"test": lambda key, belief: {"best": Mean.of(belief.max())}})


def launch(folder, *words):
    run.main(__name__, ["--workdir", str(folder), *words])
    return read_rows(folder / "metrics.jsonl")


def state(folder, step):
    checkpoints = Checkpoints(folder / "checkpoints")
    belief = checkpoints.restore(step, jnp.zeros(ARMS))
    checkpoints.close()
    return belief


def saved(folder):
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(("step", "kept", "word"), [(6, [4], "step 7, where no world begins"), (7, [4, 8], "8, saved")])
def test_resumed_is_straight_bit_for_bit(tmp_path, capsys, step, kept, word):
    straight = launch(tmp_path / "straight")
    assert saved(tmp_path / "straight") == [4, 8, 12], "where segments begin, not every three steps"
    accident[step] = signal.SIGTERM
    with pytest.raises(SystemExit) as stop:
        launch(tmp_path / "run")
    assert stop.value.code == 75 and saved(tmp_path / "run") == kept
    assert word in capsys.readouterr().err
    assert launch(tmp_path / "run") == straight
    np.testing.assert_array_equal(state(tmp_path / "run", 12), state(tmp_path / "straight", 12))


def test_stopped_in_the_first_segment_it_begins_anew(tmp_path):
    straight = launch(tmp_path / "straight")
    accident[2] = signal.SIGTERM
    with pytest.raises(SystemExit):
        launch(tmp_path / "run")
    assert launch(tmp_path / "run") == straight


@pytest.mark.parametrize("words", [("--lift", "pmap"), ("--lift", "shard", "--layout", "fsdp")], ids=lambda w: w[1])
def test_on_many_devices_it_is_the_same_world(tmp_path, words):
    one, many = launch(tmp_path / "one", "--lift", "jit"), launch(tmp_path / "many", *words)
    for name in ("train/reward", "test/best"):
        want, got = ([row[name] for row in rows if name in row] for rows in (one, many))
        np.testing.assert_allclose(got, want, rtol=1e-5)
    assert len(set(want)) == len(want) > 2


def test_what_the_actor_sees_is_the_state_before_the_step(tmp_path):
    """By hand, with the same keys."""
    launch(tmp_path / "run", "--lift", "jit")
    program = Program(Definition.of(__name__), Config(lift="jit"))
    world, algorithm = bandits(np.random.default_rng([0, 0])), program.algorithm()
    belief = algorithm.init(program.keys()[0], program.batch(0))
    for _ in range(4):
        belief, _ = algorithm.step(jax.random.key(0), belief, world(np.asarray(belief)))
    np.testing.assert_array_equal(state(tmp_path / "run", 4), belief)


def test_no_step_calls_the_host():
    program = Program(Definition.of(__name__), Config(lift="jit"))
    algorithm, batch = program.algorithm(), program.batch(0)
    text = algorithm.step.lower(jax.random.key(0), algorithm.init(jax.random.key(0), batch), batch).as_text()
    assert "callback" not in text and "stablehlo" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--num_seeds", "2"), "--num_seeds, --sweep: a world outside the program serves one run"),
        (("--sweep", "rate=0.1,0.2"), "--num_seeds, --sweep: a world outside the program serves one run"),
        (("--steps_per_call", "2"), "--steps_per_call 2: a world outside the program is asked each step, 1"),
        (("--num_steps", "10"), "--num_steps 10: it must be a multiple of 4, after which the world begins anew"),
    ],
)
def test_what_a_world_cannot_is_refused(tmp_path, capsys, words, said):
    with pytest.raises(SystemExit) as stop:
        launch(tmp_path / "run", *words)
    assert stop.value.code == 2 and not (tmp_path / "run").exists()
    assert said in capsys.readouterr().err
