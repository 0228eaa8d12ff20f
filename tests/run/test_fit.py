"""The loop: its files, its order, how it stops and how it goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from matplotlib.figure import Figure

from adl import run
from adl.core import Algorithm, Learner, Mean, alternate, descend
from adl.run.folder import lock
from adl.run.record import read_rows

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(64, 4)).astype("f")
TRACED: list[str] = []  # names of what Python has run through


@dataclass(frozen=True)
class Config(run.Config):
    """A regression that can be made to fail."""

    any_length = True
    num_steps: run.Count = 12
    batch_size: run.Count = 16
    log_every: run.Count = 2
    eval_every: run.Count = 4
    checkpoint_every: run.Count = 4
    learning_rate: run.Positive = 0.1  # of SGD
    power: run.Positive = 2.0  # of the loss; no number for a Python branch
    poison: run.Natural = 0  # step whose batch is nan; 0: none
    overflow: run.Natural = 0  # step whose batch is 1e30; 0: none
    rests: run.Natural = 0  # steps after each, in which nothing is learned or reported
    stop: run.Natural = 0  # step before which the process is told to stop; 0: none
    by: int = signal.SIGTERM  # with this signal
    fill: str = ""  # file that takes all space of its disk before step 6; empty: none
    branch: str = ""  # a field that the program's shape depends on


class Batches:
    """Batches as a pure function of the step, and the accidents asked for."""

    def __init__(self, config):
        self.config = config

    def __getitem__(self, step):
        if step and step == self.config.stop:
            os.kill(os.getpid(), self.config.by)
        if self.config.fill and step == 6:
            while not (Path(self.config.workdir) / "checkpoints" / "4").exists():
                time.sleep(0.01)
            with open(self.config.fill, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        scale = np.float32(np.nan if step and step == self.config.poison else 1.0)
        scale = np.float32(1e30) if step and step == self.config.overflow else scale
        rows = (np.arange(self.config.batch_size) + step * self.config.batch_size) % len(X)
        return X[rows] * scale


def build(config, loaded, axis):
    model, tx = nn.Dense(1), optax.adam(config.learning_rate)
    if config.branch and config.learning_rate > 1:
        raise AssertionError

    def loss(key, params, extras, x):
        TRACED.append("loss")
        return {"loss": Mean.of((model.apply({"params": params}, x) - x.sum(-1, keepdims=True)) ** 2)}, extras

    def probe(key, state):
        TRACED.append("probe")
        learner = state.state if config.rests else state
        predicted = model.apply(learner.variables, X)
        return {"loss": Mean.of((predicted - X.sum(-1, keepdims=True)) ** 2), "noise": jax.random.normal(key, (3,))}

    def init(key, x):
        return Learner.create(model.init(key, x), tx)

    def draw(outcome):
        assert outcome.arrays["test/noise"].shape == outcome.arrays["last/noise"].shape == (3,)
        figure = Figure()
        steps, losses = outcome.curve("train/loss")
        figure.subplots().plot(steps, losses.reshape(len(steps), -1))
        return figure

    algorithm = Algorithm(init, descend(loss, tx, axis))
    if config.rests:
        algorithm = alternate(init, (algorithm.step, lambda key, state, x: (state, {})), (1, config.rests))
    return run.Experiment(algorithm, Batches(config), {"test": probe}, {"last": probe}, {"loss": draw})


def launch(folder: Path | str, *words: str) -> list[dict]:
    """Rows of the run; SystemExit passes."""
    run.main(__name__, ["--workdir", str(folder), *words])
    return read_rows(Path(folder) / "metrics.jsonl")


def losses(rows: list[dict], name: str = "train/loss") -> np.ndarray:
    return np.array([row[name] for row in rows if name in row])


def fails(capsys, code: int, *patterns: str):
    """Context: the process ends with this code and one line that holds all these patterns."""

    class Ends:
        def __enter__(self):
            self.raises = pytest.raises(SystemExit)
            self.stop = self.raises.__enter__()

        def __exit__(self, *exception):
            caught = self.raises.__exit__(*exception)
            assert self.stop.value.code == code
            line = capsys.readouterr().err.strip().splitlines()[-1]
            assert all(pattern in line for pattern in patterns), line
            return caught

    return Ends()


@pytest.mark.parametrize("words", ["--lift jit", "--lift pmap", "--lift shard --layout fsdp --steps_per_call 2"])
def test_what_is_traced_before_the_run_is_what_it_calls(words, tmp_path):
    TRACED.clear()
    launch(tmp_path / "run", "--num_steps", "4", *words.split())
    assert sorted(TRACED) == ["loss", "probe", "probe"]


def test_files_of_a_run(tmp_path):
    rows = launch(tmp_path / "run")
    assert [row["step"] for row in rows] == [0, 2, 4, 6, 8, 10, 12, 12]
    assert set(rows[0]) == {"step", "test/loss"} and set(rows[2]) == {"step", "train/loss", "test/loss"}
    assert set(rows[-1]) == {"step", "last/loss"}
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "environment.json", "metrics.jsonl", "events", "figures", "checkpoints"} <= names
    assert (tmp_path / "run/figures/loss.png").stat().st_size > 1000
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    assert environment["versions"]["jax"] == jax.__version__ and len(environment["devices"]) == 8
    assert sorted(int(p.name) for p in (tmp_path / "run/checkpoints").iterdir()) == [4, 8, 12]


def test_every_lift_gives_the_same_rows(tmp_path):
    want = losses(launch(tmp_path / "jit"))
    for name, words in {
        "pmap": ["--lift", "pmap"],
        "shard": ["--lift", "shard"],
        "fsdp": ["--lift", "shard", "--layout", "fsdp"],
        "scan": ["--steps_per_call", "2"],
        "scanned shard": ["--lift", "shard", "--steps_per_call", "2"],
    }.items():
        np.testing.assert_allclose(losses(launch(tmp_path / name, *words)), want, rtol=1e-5, err_msg=name)


def test_calls_that_do_not_divide_the_run(tmp_path):
    rows = launch(tmp_path / "run", "--steps_per_call", "5")
    assert [row["step"] for row in rows] == [0, 5, 10, 12, 12]
    np.testing.assert_allclose(
        losses(rows, "test/loss")[-1], losses(launch(tmp_path / "one"), "test/loss")[-1], rtol=1e-5
    )


def test_seeds_are_the_single_runs(tmp_path):
    many = losses(launch(tmp_path / "many", "--num_seeds", "3", "--seed", "5"))
    for index in range(3):
        one = losses(launch(tmp_path / str(index), "--seed", str(5 + index)))
        np.testing.assert_allclose(many[:, index], one, rtol=1e-5)


def test_sweep_is_the_single_runs(tmp_path, capsys):
    swept = losses(launch(tmp_path / "sweep", "--sweep", "learning_rate=0.01,0.1", "--num_seeds", "2"))
    assert swept.shape == (6, 2, 2)
    assert "±" in capsys.readouterr().err
    one = losses(launch(tmp_path / "one", "--learning_rate", "0.01", "--seed", "1"))
    np.testing.assert_allclose(swept[:, 0, 1], one, rtol=1e-5)


def test_sweep_of_what_shapes_the_program(tmp_path, capsys):
    with fails(capsys, 2, "--sweep", "one by one"):
        launch(tmp_path / "run", "--sweep", "learning_rate=0.01,0.1", "--branch", "yes")


def test_longer_run_goes_on_from_the_shorter(tmp_path):
    straight = launch(tmp_path / "straight")
    launch(tmp_path / "run", "--num_steps", "8")
    resumed = launch(tmp_path / "run")
    assert [row for row in resumed if not (row["step"] == 8 and "last/loss" in row)] == straight


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_the_same_command_resumes(tmp_path, capsys, number):
    straight = launch(tmp_path / "straight")
    with fails(capsys, {signal.SIGTERM: 75, signal.SIGINT: 130}[number], "stopped at step 7", "resumes"):
        launch(tmp_path / "run", "--stop", "6", "--by", str(int(number)))
    assert (tmp_path / "run/checkpoints/7").exists()
    saved = json.loads((tmp_path / "run/config.json").read_text())
    (tmp_path / "run/config.json").write_text(json.dumps({**saved, "stop": 0, "by": int(signal.SIGTERM)}))
    resumed = launch(tmp_path / "run")
    assert [row for row in resumed if row["step"] in (0, 2, 4, 6, 10, 12)] == [
        row for row in straight if row["step"] != 8
    ]


def test_complete_run_only_redraws(tmp_path):
    rows = launch(tmp_path / "run")
    before = (tmp_path / "run/metrics.jsonl").read_bytes()
    (tmp_path / "run/figures/loss.png").unlink()
    assert launch(tmp_path / "run") == rows
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == before
    assert (tmp_path / "run/figures/loss.png").exists()


def test_nan_stops_with_the_step_and_the_last_good_checkpoint(tmp_path, capsys):
    with fails(capsys, 1, "loss is nan at step 9", "last good checkpoint is step 8", "checkpoints/8"):
        launch(tmp_path / "run", "--poison", "9")
    with fails(capsys, 1, "nan at steps 5 to 9", "there is no checkpoint"):
        launch(tmp_path / "scan", "--poison", "9", "--steps_per_call", "5", "--checkpoint_every", "100")


def test_a_phase_that_reports_no_loss_is_no_failure(tmp_path, capsys):
    """Rows cover two steps: of one that learns and one that rests, of two that rest, ..."""
    rows = launch(tmp_path / "run", "--rests", "2")
    assert [row["train/loss"] is None for row in rows if "train/loss" in row] == [False, False, True] * 2
    with fails(capsys, 1, "loss is nan at step 9;"):
        launch(tmp_path / "poisoned", "--rests", "2", "--poison", "9")


def test_a_state_that_is_not_finite_is_never_saved(tmp_path, capsys):
    with fails(capsys, 1, "last good checkpoint is step 4"):
        launch(tmp_path / "run", "--overflow", "7")
    assert sorted(int(p.name) for p in (tmp_path / "run/checkpoints").iterdir()) == [4]


def test_other_configuration_is_refused_and_nothing_changes(tmp_path, capsys):
    launch(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with fails(capsys, 2, "learning_rate: 0.1 -> 0.2", "--workdir"):
        launch(tmp_path / "run", "--learning_rate", "0.2")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    with fails(capsys, 2, "at step 12 already"):
        launch(tmp_path / "run", "--num_steps", "8")


def test_folder_that_is_not_ours_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    with fails(capsys, 2, "holds files but no run"):
        launch(tmp_path)
    with fails(capsys, 2, "Not a directory"):
        launch(tmp_path / "thesis.tex" / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex"}


def test_one_process_a_folder(tmp_path, capsys):
    launch(tmp_path / "run")
    with lock(tmp_path / "run"), fails(capsys, 2, "another process"):
        launch(tmp_path / "run")


def test_rows_cut_off_by_a_kill_are_read_up_to_there(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 2, "tr')
    assert read_rows(tmp_path / "metrics.jsonl") == [{"step": 0}]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a file system of its own")
def test_full_disk_is_one_line_and_the_previous_checkpoint_stays(tmp_path):
    """In a process of its own, whose disk fills up between two checkpoints."""
    tmp_path.joinpath("disk").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path / "disk"], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        words = [str(tmp_path / "disk" / "run"), "--fill", str(tmp_path / "disk" / "filler")]
        code = "import sys; from tests.run import test_fit; test_fit.launch(*sys.argv[1:])"
        ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT)
        assert ended.returncode == 1
        lines = [line for line in ended.stderr.splitlines() if not line.startswith(("step ", "compiling "))]
        assert (
            len(lines) == 1 and "No space left on device" in lines[0] and "last good checkpoint is step 4" in lines[0]
        ), ended.stderr
    finally:
        subprocess.run(["umount", tmp_path / "disk"], check=True)
