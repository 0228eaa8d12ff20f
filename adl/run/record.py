"""Records of a run: rows of metrics, TensorBoard events, the environment, and what a person sees meanwhile."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adl.core import BadInput
from adl.run import folder as files
from adl.run import machine, processes, screen
from adl.run.screen import console


class Records:
    """Writer of `metrics.jsonl`, its TensorBoard mirror and the progress display of one run.

    Rows hold nothing of the clock, so the file of a resumed run is that of a straight one, byte for byte.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: int | None,
        mark: Mapping[str, Any],
        num_steps: int,
        name: str,
        settings: Sequence[str] = (),
    ):
        """Opens the records, cut back to what was written up to `start`, the restored step (None: none).

        Rows are shown by the settings of a sweep, which are the metrics' first axis.

        Raises:
          BadInput: if the rows that were written before `mark` was taken are no longer there.
        """
        from tensorboardX import SummaryWriter

        self.path = folder / "metrics.jsonl"
        self.history = [] if start is None else _up_to(start, self.path, mark)
        lines = [_line(row) for row in self.history]
        self._digest = hashlib.blake2b("".join(lines).encode())
        files.write(self.path, "".join(lines))
        self._file = self.path.open("a")
        self._events = SummaryWriter(str(folder / "events"), purge_step=None if start is None else start + 1)
        self._progress = Progress(
            TextColumn("[bold]" + name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
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
        self._file.write(_line(row))
        self._file.flush()
        self._digest.update(_line(row).encode())
        for name, value in metrics.items():
            for index in np.ndindex(np.shape(value)):
                tag, number = "/".join([name, *map(str, index)]), float(np.asarray(value)[index])
                if np.isfinite(number):  # a phase may count nothing, which TensorBoard has no sign for
                    self._events.add_scalar(tag, number, step)
        self._progress.update(self._task, note="")
        screen.say(*screen.row(f"step {step}", metrics, self._settings))

    def mark(self) -> dict[str, Any]:
        """What the rows so far, which are on disk when it returns, are known by."""
        os.fsync(self._file.fileno())
        return {"rows": len(self.history), "digest": self._digest.hexdigest()}

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

    def mark(self) -> dict[str, Any]:
        """Nothing is written."""
        return {}

    def advance(self, step: int) -> None:
        """Nothing to show."""

    def finish(self, step: int) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to let go of."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a last line cut off by a kill is left out.

    Raises:
      BadInput: if any other line is no row.
    """
    *lines, last = path.read_bytes().split(b"\n") if path.exists() else [b""]
    rows = [_row(line) for line in lines]
    if None in rows:
        raise BadInput(
            f"{path}: line {rows.index(None) + 1} is no row of metrics; put the file back as it was, or choose another "
            "--workdir"
        )
    return rows if (cut := _row(last)) is None else [*rows, cut]


def _row(line: bytes) -> dict[str, Any] | None:
    """A row of a line, None of what is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and type(row.get("step")) is int else None


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _up_to(start: int, path: Path, mark: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that a run resumed at `start` has behind it."""
    rows = read_rows(path)
    written = "".join(map(_line, rows[: mark.get("rows", 0)]))
    if mark and hashlib.blake2b(written.encode()).hexdigest() != mark["digest"]:
        raise BadInput(
            f"{path}: it is not as it was written up to step {start}, the newest checkpoint's; put it back as it was, "
            "or choose another --workdir"
        )
    return [row for row in rows if row["step"] <= start]


def environment() -> dict[str, Any]:
    """Versions, devices and source revision: what a number was measured with."""
    return {
        "python": platform.python_version(),
        "versions": versions(),
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


def versions() -> dict[str, str]:
    """Of the packages that decide what is computed."""
    packages = ("adl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {name: _version(name) for name in packages}


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
