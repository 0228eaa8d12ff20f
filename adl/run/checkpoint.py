"""Checkpoints: the state after so many steps, written by orbax, whole or not at all."""

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from adl.core import BadInput, PyTree, layout
from adl.run import processes

SEAL = "digests.json"  # in each checkpoint: of all its other files


class Checkpoints:
    """The checkpoints of one run: `directory/<step>/`, the newest few of them and the best.

    Writing goes on in the background while the next steps run; a checkpoint counts once it is complete, so a kill or
    a full disk in the middle leaves the one before as the newest. All processes write, into a directory that they
    share; the first then seals what is complete with the digests of its files.
    """

    def __init__(self, directory: Path, *, keep: int = 3, best: str = ""):
        """Opens the checkpoints of a run.

        Args:
          directory: the same for all processes.
          keep: newest checkpoints that stay, >= 1.
          best: metric whose lowest value's checkpoint stays too; with ":max" behind it the highest; empty: none.
        """
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs each error that it also raises
        policies = [ocp.checkpoint_managers.LatestN(keep)]
        self._best, is_lowest = best.removesuffix(":max"), not best.endswith(":max")
        if best:
            policies.append(
                ocp.checkpoint_managers.BestN(
                    get_metric_fn=lambda metrics: metrics[self._best],
                    reverse=is_lowest,  # the last of these stays
                    n=1,
                    keep_checkpoints_without_metrics=False,
                )
            )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp.checkpoint_managers.AnyPreservationPolicy(policies),
            enable_async_checkpointing=True,
        )
        self.directory = directory
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)
        self._sealing = ThreadPoolExecutor(1, "seal")

    def latest(self) -> int | None:
        """Step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: PyTree, metrics: Mapping[str, np.ndarray] | None = None) -> None:
        """Starts to write the state after `step` steps.

        Args:
          step: >= 0.
          state: of all processes.
          metrics: of this step; of several runs, their mean decides which checkpoint is the best.
        Raises:
          OSError: if this or the write before it failed (disk full, no permission).
        """
        if step in self._manager.all_steps():
            return
        # Asked before, since a write that fails half-way fails in many threads, each with a page of its own.
        needed = 1.1 * layout.bytes_per_device(state) + 2**17  # its files' own blocks
        if shutil.disk_usage(self.directory).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        value = float(np.mean(metrics[self._best])) if metrics and self._best in metrics else np.nan
        with _storage_errors():
            self._manager.save(
                step,
                args=ocp.args.StandardSave(_writable(state)),
                metrics={self._best: value} if np.isfinite(value) else None,
            )
        if processes.index() == 0:
            self._sealing.submit(self._seal)

    def restore(self, step: int, like: PyTree) -> PyTree:
        """State after `step` steps, placed as `like` is.

        Raises:
          BadInput: if the checkpoint does not fit `like` or cannot be read.
        """
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, _writable(like))
        try:
            return _readable(self._manager.restore(step, args=ocp.args.StandardRestore(shapes)), like)
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadInput(f"checkpoint {self.directory / str(step)} cannot be restored: {reason}") from error

    def wait(self) -> None:
        """Returns when everything is on disk.

        Raises:
          OSError: if it could not be written.
        """
        with _storage_errors():
            self._manager.wait_until_finished()
        self._sealing.submit(int).result()  # after all that were asked for before

    def close(self) -> None:
        """Waits, and lets go of the directory."""
        self.wait()
        self._sealing.shutdown()
        self._manager.close()

    def _seal(self) -> None:
        """Writes the digests of what is complete, once the write that goes on is."""
        while self._manager.is_saving_in_progress():
            time.sleep(0.02)
        for folder in _complete(self.directory):
            if not (folder / SEAL).exists():
                with contextlib.suppress(FileNotFoundError):  # an old one that is being removed
                    temporary = (folder / SEAL).with_suffix(".tmp")
                    temporary.write_text(json.dumps(_digests(folder)))
                    temporary.rename(folder / SEAL)


def set_aside_damaged(directory: Path) -> list[str]:
    """Moves checkpoints that are not as they were sealed out of the way, newest first, up to the first sound one.

    Returns:
      A line for each, that says what was found and where it is now.
    """
    lines = []
    for folder in reversed(_complete(directory)):
        reason = _damage(folder)
        if reason is None:
            break
        aside = directory.parent / "damaged" / folder.name
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)
        lines.append(f"checkpoint {folder.name} is damaged ({reason}); it is now {aside}")
    return lines


def _complete(directory: Path) -> list[Path]:
    """Folders of the checkpoints that were written to their end, in the order of their steps."""
    folders = directory.iterdir() if directory.is_dir() else []
    return sorted((folder for folder in folders if folder.name.isdigit()), key=lambda folder: int(folder.name))


def _damage(folder: Path) -> str | None:
    """What differs from the seal; None where nothing does, or where a kill came before the seal."""
    try:
        sealed = json.loads((folder / SEAL).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return f"{SEAL} cannot be read"
    found = _digests(folder)
    for name in sorted(sealed.keys() | found.keys()):
        if name not in found:
            return f"{name} is missing"
        if sealed.get(name) != found[name]:
            return f"{name} is not what was written"
    return None


def _digests(folder: Path) -> dict[str, str]:
    """Digest of each file by its path within the folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.stem != Path(SEAL).stem)
    return {str(path.relative_to(folder)): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    """Storage errors arrive as ValueError or RuntimeError with the cause deep in their text; raise the cause."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        code = re.search(r"os_error_code='(\d+)'", str(error))
        if not code:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _writable(state: PyTree) -> PyTree:
    """The state in a folder of its own, typed keys (of games, of environments) as the integers that they hold."""
    return {"state": jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, state)}


def _readable(data: PyTree, like: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf, d: jax.random.wrap_key_data(d) if _is_key(leaf) else d, like, data["state"])
