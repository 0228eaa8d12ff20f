"""Checkpoints: the state after so many steps, written by orbax, whole or not at all."""

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from adl.core import BadInput, PyTree


class Checkpoints:
    """The checkpoints of one run: `directory/<step>/`, the newest few of them.

    Writing goes on in the background while the next steps run; a checkpoint counts once it is complete, so a kill or
    a full disk in the middle leaves the one before as the newest.
    """

    def __init__(self, directory: Path, *, keep: int = 3):
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs each error that it also raises
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
        self.directory = directory
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def latest(self) -> int | None:
        """Step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: PyTree) -> None:
        """Starts to write the state after `step` steps.

        Raises:
          OSError: if this or the write before it failed (disk full, no permission).
        """
        if step in self._manager.all_steps():
            return
        # Asked before, since a write that fails half-way fails in many threads, each with a page of its own.
        needed = 1.1 * sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + 2**17  # its files' own blocks
        if shutil.disk_usage(self.directory).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with _storage_errors():
            self._manager.save(step, args=ocp.args.StandardSave(_writable(state)))

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

    def close(self) -> None:
        """Waits, and lets go of the directory."""
        self.wait()
        self._manager.close()


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
