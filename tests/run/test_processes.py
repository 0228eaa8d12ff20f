"""Real processes on this machine, two virtual devices each: together they are one process with as many devices."""

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from adl.core import BadInput
from adl.run import claim, processes
from adl.run.record import read_rows

ROOT = Path(__file__).parent.parent.parent
CLASSIFY = "experiments.supervised.classify"
SMALL = "--model mlp --augment none --learning_rate 3e-3 --batch_size 64 --steps_per_call 1 --log_every 1"
SMALL = [*SMALL.split(), "--eval_every", "20", "--checkpoint_every", "20", "--dropout", "0.2", "--hidden_width", "32"]


class Job:
    """An experiment in several processes."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *words: str,
        devices: int = 2,
        module: str = "experiments.supervised.classify",
        each: Sequence[Sequence[str]] = (),
    ):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            address = f"localhost:{free.getsockname()[1]}"
        self.logs = [folder.parent / f"{folder.name}.{index}.log" for index in range(count)]
        self.processes = []
        for index, log in enumerate(self.logs):
            variables = {}
            if count > 1:
                variables = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": str(count)}
                variables |= {"JAX_PROCESS_ID": str(index)}
            flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
            own = each[index] if each else ()
            command = [sys.executable, "-m", module, "--workdir", str(folder), *words, *own]
            variables |= {"XLA_FLAGS": flags}
            with log.open("w") as file:
                self.processes.append(
                    subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=file, stderr=file)
                )

    def codes(self, seconds: float = 240) -> list[int]:
        late = time.monotonic() + seconds
        with contextlib.ExitStack() as stack:
            for process in self.processes:
                stack.callback(process.wait)
                stack.callback(process.kill)
            return [process.wait(max(late - time.monotonic(), 1)) for process in self.processes]

    def said(self, index: int) -> str:
        return self.logs[index].read_text()


def launch(folder: Path, count: int, *words: str, devices: int = 2) -> list[dict]:
    """Rows of a run to its end."""
    job = Job(folder, count, *SMALL, *words, devices=devices)
    assert job.codes() == [0] * count, job.said(0) + job.said(count - 1)
    return read_rows(folder / "metrics.jsonl")


def assert_same(rows: list[dict], want: list[dict]) -> None:
    assert [sorted(row) for row in rows] == [sorted(row) for row in want]
    for row, expected in zip(rows, want, strict=True):
        for name in row:
            pair = np.array([row[name], expected[name]], float)  # what was not finite is null, in both
            np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-5, err_msg=f"{name}: {row}")


def wait_for(folder: Path, step: int) -> None:
    late = time.monotonic() + 200
    while not any(row["step"] >= step for row in read_rows(folder / "metrics.jsonl")):
        assert time.monotonic() < late
        time.sleep(0.05)


def test_two_processes_are_one(tmp_path):
    """Two of two devices as one of four."""
    steps = ("--num_steps", "20")
    two = launch(tmp_path / "two", 2, *steps)
    assert_same(two, launch(tmp_path / "one", 1, *steps, devices=4))
    assert json.loads((tmp_path / "two" / "environment.json").read_text())["processes"] == 2
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {path.name for path in (tmp_path / "two").iterdir()} == names  # the first writes, and nobody else


@pytest.mark.full
def test_four_processes_are_one(tmp_path):
    """Four of two devices, whose layers and state are split, as one of four."""
    steps, split = ("--num_steps", "20"), ("--mesh", "data=2,model=4", "--layout", "fsdp")
    assert_same(launch(tmp_path / "four", 4, *steps, *split), launch(tmp_path / "one", 1, *steps, devices=4))


CHAINS = """
from dataclasses import dataclass
import jax, jax.numpy as jnp
from adl import run
from adl.core import Algorithm, Mean

@dataclass(frozen=True)
class Config(run.Config):
    num_steps: run.Count = 6
    log_every: run.Count = 2
    eval_every: run.Count = 3
    checkpoint_every: run.Count = 3

def build(cfg, loaded, axis):
    def init(key, batch):
        return jnp.zeros(()), jax.random.normal(key, (8, 3))

    def step(key, state, batch):
        center, chains = state
        chains = 0.9 * chains + jax.random.normal(key, chains.shape)
        return (0.5 * center + 0.5 * chains.mean(), chains), {"loss": Mean.of(jnp.square(chains - center))}

    probes = {"test": lambda key, state: {"spread": Mean.of(jnp.square(state[1]))}}
    return run.Experiment(Algorithm(init, step, (None, 0)), probes=probes)

if __name__ == "__main__":
    run.main(__name__)
"""


@pytest.fixture
def chains(tmp_path, monkeypatch):
    """The name of an experiment whose state is split, and which is small."""
    (tmp_path / "chains.py").write_text(CHAINS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    return "chains"


@pytest.mark.full
def test_split_states_are_shared_out(tmp_path, chains):
    """Chains that lie on the devices of two processes."""
    rows = []
    for count, devices in ((2, 2), (1, 4)):
        job = Job(tmp_path / str(count), count, "--lift", "shard", devices=devices, module=chains)
        assert job.codes() == [0] * count, job.said(0) + job.said(count - 1)
        rows.append(read_rows(tmp_path / str(count) / "metrics.jsonl"))
    assert_same(*rows)
    assert [sorted(row) for row in rows[0][:2]] == [["step", "test/spread"], ["step", "train/loss"]]


@pytest.mark.full
@pytest.mark.parametrize("name", ["rl.ppo", "latent.mixture"])
def test_environments_and_whole_batches_are_shared_out(tmp_path, name):
    """Environments that lie on the devices of two processes; and a batch that no process can gather a share of."""
    experiment = importlib.import_module(f"experiments.{name}")
    rows = []
    for count, devices in ((2, 2), (1, 4)):
        folder = tmp_path / str(count)
        job = Job(folder, count, *claim.words(experiment.SMOKE), devices=devices, module=experiment.__name__)
        assert job.codes() == [0] * count, job.said(0) + job.said(count - 1)
        rows.append(read_rows(folder / "metrics.jsonl"))
    assert_same(*rows)


@pytest.mark.full
def test_told_to_stop_all_save_and_fewer_go_on(tmp_path):
    """SIGTERM to one of two; then one process with other devices and another layout goes on from their checkpoint."""
    folder, length = tmp_path / "run", ("--num_steps", "400")
    job = Job(folder, 2, *SMALL, *length)
    wait_for(folder, 30)
    job.processes[1].send_signal(signal.SIGTERM)
    assert job.codes() == [75, 75]
    stopped = read_rows(folder / "metrics.jsonl")[-1]["step"]
    assert all(f"stopped at step {stopped}, saved" in job.said(index) for index in (0, 1))
    assert (folder / "checkpoints" / str(stopped)).exists()
    resumed = launch(folder, 1, *length, "--layout", "fsdp", devices=4)
    straight = launch(tmp_path / "straight", 1, *length, devices=1)
    by_step = {row["step"]: row["train/loss"] for row in straight if "train/loss" in row}
    found = {row["step"]: row["train/loss"] for row in resumed if "train/loss" in row}
    assert set(found) == set(by_step)
    np.testing.assert_allclose([found[step] for step in by_step], list(by_step.values()), rtol=1e-2, atol=1e-3)


@pytest.mark.full
def test_a_lost_process_ends_the_others_and_the_same_command_goes_on(tmp_path):
    folder, command = tmp_path / "run", (*SMALL, "--num_steps", "5000")
    job = Job(folder, 2, *command)
    wait_for(folder, 45)
    job.processes[1].kill()
    killed = time.monotonic()
    assert job.codes(90)[0] not in (0, 1, 2)
    assert time.monotonic() - killed < 60
    assert "another task died" in job.said(0) and "unhealthy (stopped sending heartbeats):\n1\n" in job.said(0)
    last = max(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())
    before = [row for row in read_rows(folder / "metrics.jsonl") if row["step"] <= last]
    job = Job(folder, 2, *command)
    late = time.monotonic() + 200
    while not (folder / "checkpoints" / str(last + 40)).exists():
        assert time.monotonic() < late, job.said(0)
        time.sleep(0.05)
    job.processes[0].send_signal(signal.SIGTERM)
    assert job.codes() == [75, 75], job.said(0)
    rows = read_rows(folder / "metrics.jsonl")
    assert rows[: len(before)] == before and rows[-1]["step"] >= last + 40
    steps = [row["step"] for row in rows if "train/loss" in row]
    assert steps == [*range(1, len(steps) + 1)]


def test_bad_input_ends_all_with_one_line(tmp_path, chains):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    job = Job(tmp_path / "mine", 2, module=chains)
    assert job.codes() == [2, 2]
    assert all("holds files but no run" in job.said(index).splitlines()[-1] for index in (0, 1))


def test_processes_of_other_configurations_do_not_run_as_one(tmp_path, chains):
    """Nothing was written, and all say which field differs."""
    job = Job(tmp_path / "run", 2, module=chains, each=((), ("--seed", "1")))
    assert job.codes() == [2, 2], job.said(0)
    told = "process 1 has another configuration than process 0 (seed: 1, in process 0 0); give all the same"
    assert all(told in job.said(index).splitlines()[-1] for index in (0, 1))
    assert not (tmp_path / "run").exists()


READS = """
import os
from adl.core import sources
from chains import Config, build, run

def load(cfg):
    sources.note(sources.Noted("./rows", {"rows.csv": [os.environ["JAX_PROCESS_ID"]]}))

if __name__ == "__main__":
    run.main(__name__)
"""


@pytest.mark.full
def test_processes_that_read_other_data_do_not_run_as_one(tmp_path, chains):
    (tmp_path / "reads.py").write_text(READS)
    job = Job(tmp_path / "run", 2, module="reads")
    assert job.codes() == [2, 2], job.said(0)
    assert all("process 1 has another input than process 0 (./rows: " in job.said(index) for index in (0, 1))
    assert not (tmp_path / "run").exists()


LOST = """
import sys, time
import jax
from adl.core import BadInput
from adl.run import processes
processes.connect()
if processes.index() == 1:
    processes.leave("error: no data set here", 2)
time.sleep(200)
"""


def test_what_one_process_finds_after_joining_ends_all_with_its_line(tmp_path):
    (tmp_path / "lost.py").write_text(LOST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
        job = Job(tmp_path / "unused", 3, module="lost")
        assert job.codes(60) == [2, 2, 2], job.said(0)
    assert job.said(1).splitlines()[-1] == "error: no data set here"
    for index in (0, 2):
        assert job.said(index).splitlines()[-1] == "error: process 1: no data set here"


ROLL_CALL = """
import jax
from adl.run import processes
processes.connect()
print("process", processes.index(), "of", processes.count(), "with", jax.device_count(), "devices", flush=True)
processes.barrier("end")
"""


def test_slurm_is_found_by_itself(tmp_path):
    """Two tasks of one node, by the variables that srun sets."""
    (tmp_path / "roll_call.py").write_text(ROLL_CALL)
    tasks = []
    for index in range(2):
        variables = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
        variables |= {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)}
        variables |= {"PYTHONPATH": str(ROOT), "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        command = [sys.executable, str(tmp_path / "roll_call.py")]
        environment = {**os.environ, **variables}
        tasks.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    said = [task.communicate(timeout=120)[0] for task in tasks]
    assert said == ["process 0 of 2 with 4 devices\n", "process 1 of 2 with 4 devices\n"]


MEETING = """
import sys, time, jax
from adl.core import BadInput
from adl.run import processes
processes.connect()
if processes.index() == 1:
    time.sleep(4)
    processes.barrier("end", seconds=20)
else:
    try:
        processes.barrier("lunch", seconds=1)
    except BadInput as error:
        print(error)
    processes.barrier("end", seconds=20)
"""


def test_a_barrier_names_who_is_missing(tmp_path):
    (tmp_path / "meeting.py").write_text(MEETING)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        job = Job(tmp_path / "unused", 3, module="meeting")
        assert job.codes() == [0, 0, 0], job.said(0)
    for index in (0, 2):
        assert "process 1 of 3 did not come to 'lunch' within 1 s; see its own log" in job.said(index)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"JAX_NUM_PROCESSES": "2"}, "JAX_COORDINATOR_ADDRESS, JAX_PROCESS_ID not set"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1"}, "JAX_NUM_PROCESSES, JAX_PROCESS_ID not set"),
        ({"JAX_COORDINATOR_ADDRESS": "here", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "0"}, "must be host:port"),
        (
            {"JAX_COORDINATOR_ADDRESS": "a:99999", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "0"},
            "a port from 1 to 65535",
        ),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "²", "JAX_PROCESS_ID": "0"}, "must be numbers"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"}, "0 <= JAX_PROCESS_ID <"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"}, "must be numbers"),
    ],
)
def test_variables_are_checked(monkeypatch, variables, line):
    monkeypatch.setattr(processes.xla_bridge, "backends_are_initialized", lambda: False)  # as at the start of a run
    for name in (processes.ADDRESS, processes.COUNT, processes.INDEX):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=line):
        processes.connect()


def test_experiments_wait_for_the_devices():
    """No import starts JAX: the processes of a run must find each other before."""
    files = [path.relative_to(ROOT / "experiments") for path in (ROOT / "experiments").glob("[a-z]*/[a-z]*.py")]
    names = [".".join(path.with_suffix("").parts) for path in files if path.parts[0] != "bench"]
    code = "import importlib\nfrom jax._src import xla_bridge\n"
    code += "".join(
        f"importlib.import_module('experiments.{name}')\nassert not xla_bridge.backends_are_initialized(), {name!r}\n"
        for name in names
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
