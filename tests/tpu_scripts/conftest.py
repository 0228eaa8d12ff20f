"""A checkout, a fake cloud and its workers, in a folder of the test; of this machine's programs only those listed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "tpu_scripts"
# What a TPU VM, and what the machine that drives it, must have.
UNIX = "bash cat comm cp cut date dirname env grep gzip head mkdir mktemp mv rm sed sleep sort tail tar tr wc".split()
WORKER = [*UNIX, *"flock mountpoint nohup setpriv setsid touch".split()]
DRIVER = [*UNIX, *"awk du git timeout".split()]


class Cloud:
    """The scripts of a checkout before a fake cloud."""

    def __init__(self, root: Path):
        self.root, self.cloud, self.checkout = root, root / "cloud", root / "checkout"
        (self.cloud / "workers").mkdir(parents=True)
        shutil.copytree(SCRIPTS, self.checkout / "tpu_scripts")
        for name in ("__init__", "vae", "diffusion/__main__", "diffusion/image"):
            path = self.checkout / "experiments" / f"{name}.py"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.touch()
        self.driver, self.worker = self._programs("driver", DRIVER), self._programs("worker", WORKER)
        self._script(self.driver / "gcloud", HERE / "fake_gcloud", "")
        self._script(self.worker / "python3", HERE / "fake_python", '"$0"')
        subprocess.run(["git", "init", "-q", self.checkout], check=True)
        self.env = {
            "PATH": str(self.driver),
            "HOME": str(root),
            "TMPDIR": str(root),
            "FAKE_CLOUD": str(self.cloud),
            "FAKE_WORKER_PATH": str(self.worker),
            "TPU_PROJECT": "my-project",
            "TPU_ZONE": "us-west4-a",
            "TPU_NAME": "my-tpu",
            "TPU_TYPE": "v5e-16",
            "TPU_POLL": "0.05",
            "TPU_TIMEOUT": "20",
            "ADL_FIRST_WAIT": "0",
        }

    def _programs(self, name: str, wanted: list[str]) -> Path:
        folder = self.root / name
        folder.mkdir()
        for program in wanted:
            found = shutil.which(program)
            if found is None:
                pytest.skip(f"no {program} here")
            (folder / program).symlink_to(found)
        return folder

    def _script(self, path: Path, program: Path, words: str) -> None:
        path.write_text(f'#!/usr/bin/env bash\nexec {sys.executable} -S -E {program} {words} "$@"\n')
        path.chmod(0o755)

    def command(self, verb: str, *words: str) -> list[str]:
        return ["bash", str(self.checkout / "tpu_scripts" / f"{verb}.sh"), *words]

    def __call__(self, verb: str, *words: str, code: int = 0, env: dict | None = None) -> subprocess.CompletedProcess:
        """Runs a verb to its end, which must be this exit code."""
        done = subprocess.run(
            self.command(verb, *words),
            env=self.env | (env or {}),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{verb} {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def calls(self) -> list[list[str]]:
        """The command lines that gcloud got."""
        path = self.cloud / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def verbs(self) -> list[str]:
        return [call[3] for call in self.calls]

    def fail(self, pattern: str, times: int = 1) -> None:
        (self.cloud / "fail").write_text(f"{pattern}\n{times}")

    def hang(self, pattern: str, times: int = 1) -> None:
        (self.cloud / "hang").write_text(f"{pattern}\n{times}")

    def preempt(self) -> None:
        (self.cloud / "preempt").touch()

    def home(self, worker: int = 0) -> Path:
        return self.cloud / "workers" / str(worker)

    def plan(self, *ends: str, workers: tuple[int, ...] = (0, 1)) -> None:
        """How the experiments of the workers end, one after the other."""
        for worker in workers:
            (self.home(worker) / "plan").write_text("\n".join(ends))

    def ran(self, worker: int = 0) -> list[list[str]]:
        """The words of each start of an experiment there."""
        path = self.home(worker) / "ran.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def state(self, worker: int = 0) -> str:
        """What the supervisor there put down last."""
        path = self.home(worker) / "adl" / "runs" / ".job" / "state"
        return path.read_text().strip() if path.exists() else ""

    def until(self, condition, what: str = "") -> None:
        limit = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < limit, f"{what}: not within 20 s: {[self.state(0), self.state(1)]}"
            time.sleep(0.02)

    def close(self) -> None:
        """Ends what still runs on the workers."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(process / "cwd")).is_relative_to(self.cloud / "workers"):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:  # gone, or somebody else's
                pass


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def ready(tmp_path_factory):
    """A TPU of two workers, set up, to be copied."""
    made = Cloud(tmp_path_factory.mktemp("ready"))
    made("create", "--wait")
    made("setup")
    return made.cloud


@pytest.fixture
def tpu(cloud, ready):
    """A TPU of two workers, set up."""
    shutil.copytree(ready / "workers", cloud.cloud / "workers", symlinks=True, dirs_exist_ok=True)
    (cloud.cloud / "states").write_text("ACTIVE")
    return cloud
