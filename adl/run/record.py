"""Records of a run: rows of metrics, TensorBoard events, the environment, and what a person sees meanwhile."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import jax
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adl.core import BadInput
from adl.run import machine, processes, screen
from adl.run.screen import console


class Records:
    """Writer of `metrics.jsonl`, its TensorBoard mirror and the progress display of one run.

    Rows hold nothing of the clock, so the file of a resumed run is that of a straight one, byte for byte.
    """

    def __init__(self, folder: Path, *, start: int | None, num_steps: int, name: str, settings: Sequence[str] = ()):
        """Opens the records, cut back to what was written up to `start`, the restored step (None: none).

        Rows are shown by the settings of a sweep, which are the metrics' first axis.
        """
        from tensorboardX import SummaryWriter

        self.path = folder / "metrics.jsonl"
        self.history = [row for row in read_rows(self.path) if start is not None and row["step"] <= start]
        replacement = self.path.with_suffix(".tmp")
        replacement.write_text("".join(json.dumps(row) + "\n" for row in self.history))
        os.replace(replacement, self.path)
        self._file = self.path.open("a")
        self._events = SummaryWriter(str(folder / "events"), purge_step=None if start is None else start + 1)
        self._progress = Progress(
            TextColumn("[bold]" + name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=num_steps, completed=start or 0, note="compiling")
        self._shown, self._settings = 0.0, settings
        if num_steps > (start or 0) and not console.is_terminal:
            screen.say(f"compiling {name}")
        self._progress.start()

    def write(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Appends the row of `step`: a number for one run, nested lists for several; null where it is not finite."""
        row = {"step": step, **{name: _plain(value) for name, value in metrics.items()}}
        self.history.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            for index in np.ndindex(np.shape(value)):
                tag = "/".join([name, *map(str, index)])
                self._events.add_scalar(tag, float(np.asarray(value)[index]), step)
        self._progress.update(self._task, note="")
        for line in screen.row(f"step {step}", metrics, self._settings):
            screen.say(line)

    def advance(self, step: int) -> None:
        """Moves the progress bar, at most ten times a second: drawing must not slow the steps."""
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._progress.update(self._task, completed=step)
            self._shown = now

    def finish(self, step: int) -> None:
        """The bar where the run ended, and the rows on disk."""
        self._progress.update(self._task, completed=step)
        self._progress.stop()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Lets go of the files, quietly: what could not be written was an error before."""
        self._progress.stop()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._events.close()


class Onlooker:
    """Records of a process that is not the first: in memory alone."""

    def __init__(self):
        self.history: list[dict[str, Any]] = []

    def write(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Keeps the row of `step`."""
        self.history.append({"step": step, **{name: _plain(value) for name, value in metrics.items()}})

    def advance(self, step: int) -> None:
        """Nothing to show."""

    def finish(self, step: int) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to let go of."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a last line cut off by a kill is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def lock(folder: Path) -> TextIO:
    """Exclusive hold on a run's folder, until it is closed or the process ends.

    Raises:
      BadInput: if another process holds it.
    """
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise BadInput(f"--workdir {folder}: another process is running there; choose another --workdir") from None
    return handle


def environment() -> dict[str, Any]:
    """Versions, devices and source revision: what a number was measured with."""
    packages = ("adl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "platform": platform.platform(),
        "processor": machine.processor(),
        "cores": os.cpu_count(),
        "backend": jax.default_backend(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "processes": processes.count(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "git_revision": _git_revision(),
        "command": ["python", "-m", sys.modules["__main__"].__spec__.name.removesuffix(".__main__"), *sys.argv[1:]]
        if getattr(sys.modules["__main__"], "__spec__", None)
        else sys.argv,
    }


def byte_size(size: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:,.2f} {unit}"
        size /= 1024
    raise AssertionError


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str:
    here = Path(__file__).parent

    def git(*words):
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: floats or nested lists, null for what is not finite."""
    if np.ndim(value):
        return [_plain(v) for v in value]
    return float(value) if np.isfinite(value) else None
