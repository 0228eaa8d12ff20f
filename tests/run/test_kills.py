"""Twenty kills at random moments over five experiments: rows, states and the best stay, bit for bit."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from adl.run.claim import words
from adl.run.record import read_rows
from adl.run.seal import complete

ROOT = Path(__file__).parents[2]
KILLS = 4  # of each experiment
OFTEN = {"log_every": 7, "eval_every": 15, "checkpoint_every": 10}
RUNS = {
    "supervised.classify": {"model": "mlp", "num_steps": 600},
    "latent.mixture": {"num_steps": 300},
    "linear.bias_variance": {"num_steps": 600},
    "energy.density": {"num_steps": 300},
    "graphical.kalman": {"num_steps": 200},
}


def launch(folder: Path, name: str) -> subprocess.Popen:
    module = importlib.import_module(f"experiments.{name}")
    small = module.SMOKE if "model" not in RUNS[name] else {"hidden_width": 16}
    chosen = words({**small, **RUNS[name], **OFTEN, "lift": "jit"})
    command = [sys.executable, "-m", f"experiments.{name}", "--workdir", str(folder), *chosen]
    environment = {**os.environ, "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def states(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each checkpoint."""
    import jax
    import orbax.checkpoint as ocp

    found = {}
    with ocp.StandardCheckpointer() as checkpointer:
        for path in complete(folder / "checkpoints"):
            state = checkpointer.restore((path / "default").absolute())
            found[path.name] = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]
    return found


@pytest.mark.full
@pytest.mark.parametrize("name", RUNS)
def test_killed_at_random_it_is_the_straight_run(tmp_path, name):
    straight = launch(tmp_path / "straight", name)
    _, said = straight.communicate()
    assert straight.returncode == 0, said
    generator, killed = np.random.default_rng(sorted(RUNS).index(name)), 0
    length = read_rows(tmp_path / "straight" / "metrics.jsonl")[-1]["step"]
    for kill in range(KILLS):
        job = launch(tmp_path / "run", name)
        rows = tmp_path / "run" / "metrics.jsonl"
        wanted = length * (kill + generator.random()) / KILLS  # a moment in each quarter of the run
        while job.poll() is None and not (rows.exists() and b'"step": ' in rows.read_bytes() and last(rows) >= wanted):
            time.sleep(0.002)
        time.sleep(0.05 * generator.random())
        job.kill()
        job.communicate()
        killed += job.returncode == -9
    assert killed >= KILLS - 1, "most were over before they could be killed"
    resumed = launch(tmp_path / "run", name)
    _, said = resumed.communicate()
    assert resumed.returncode == 0, said
    files = [(tmp_path / run / "metrics.jsonl").read_bytes() for run in ("straight", "run")]
    assert files[0] == files[1]
    assert states(tmp_path / "straight") == states(tmp_path / "run")


def last(rows: Path) -> int:
    """The step of the last whole row."""
    return max((row["step"] for row in read_rows(rows)), default=-1)
