"""Checkpoints: the state after so many steps, written by orbax, whole or not at all.

Two kinds of things are no part of one: a `Rebuildable` value while it is what `init` makes, and parts that a person
names, such as a replay too large to be written. What is not there is taken from the state that `init` makes.
"""

import contextlib
import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from adl.core import BadInput, PyTree, Rebuildable, first_line, layout, tree
from adl.core.types import Array
from adl.run import processes, seal

STATE, APART = "state", "apart"  # of what is written: the state, and values in use that are not always written


class Checkpoints:
    """The checkpoints of one run: `directory/<step>/`, the newest few of them and the best.

    Writing goes on in the background while the next steps run; a checkpoint counts once it is complete, so a kill or
    a full disk in the middle leaves the one before as the newest. All processes write, into a directory that they
    share; the first then seals what is complete with the digests of its files.
    """

    def __init__(self, directory: Path, *, keep: int = 3, best: str = "", leave_out: Sequence[str] = ()):
        """Opens the checkpoints of a run.

        Args:
          directory: the same for all processes.
          keep: newest checkpoints that stay, >= 1.
          best: metric whose lowest value's checkpoint stays too; with ":max" behind it the highest; empty: none.
          leave_out: names of parts of the state that are never written.
        """
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs each error that it also raises
        self.directory = directory
        self._leave_out = frozenset(leave_out)
        self._beside = {int(folder.name): seal.read_beside(folder) for folder in seal.complete(directory)}
        options = ocp.CheckpointManagerOptions(
            preservation_policy=_NewestAndBest(keep, best, self._beside), enable_async_checkpointing=True
        )
        self._manager = ocp.CheckpointManager(
            directory.absolute(), options=options, item_handlers=ocp.StandardCheckpointHandler()
        )
        self._sealing = ThreadPoolExecutor(1, "seal")
        self._sealed: Future | None = None

    def latest(self) -> int | None:
        """Step of the newest complete checkpoint."""
        return self._manager.latest_step()

    def beside(self, step: int) -> dict[str, Any]:
        """What was saved beside the state after `step` steps."""
        return self._beside.get(step, {}).get("more", {})

    def save(
        self,
        step: int,
        state: PyTree,
        metrics: Mapping[str, np.ndarray] | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """Starts to write the state after `step` steps.

        Args:
          step: >= 0.
          state: of all processes.
          metrics: of this step; of several runs, their mean decides which checkpoint is the best.
          beside: what else belongs to this step, as JSON has it.
        Raises:
          OSError: if this or the write before it failed (disk full, no permission).
        """
        if step in self._manager.all_steps():
            return
        self.wait()  # sealed before the next begins: what has no seal does not outlive a kill
        rest, used, _ = _divided(state, self._leave_out)
        written = _writable(rest, used)
        # Asked before, since a write that fails half-way fails in many threads, each with a page of its own.
        needed = 1.1 * layout.bytes_per_device(written) + 2**17  # its files' own blocks
        if shutil.disk_usage(self.directory).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        means = {name: float(np.mean(value)) for name, value in (metrics or {}).items()}
        finite = {name: mean for name, mean in means.items() if np.isfinite(mean)}
        self._beside[step] = {"metrics": finite, "more": dict(beside or {})}
        with _storage_errors(self.directory):
            self._manager.save(step, args=ocp.args.StandardSave(written))
        if processes.index() == 0:
            self._sealed = self._sealing.submit(self._seal)

    def restore(self, step: int, like: PyTree) -> PyTree:
        """State after `step` steps, placed as `like` is, with what the checkpoint has not as it is there.

        Args:
          step: of a checkpoint.
          like: what `init` makes of the run's own key and first batch.
        Raises:
          BadInput: if the checkpoint does not fit `like` or cannot be read.
        """

        def one(names, wanted):
            return self._manager.restore(step, args=ocp.args.StandardRestore(wanted(names)))

        folder = self.directory / str(step)
        return _restored(folder, like, self._leave_out, lambda: self._manager.item_metadata(step).tree, one)

    def wait(self) -> None:
        """Returns when everything is on disk.

        Raises:
          OSError: if it could not be written.
        """
        with _storage_errors(self.directory):
            self._manager.wait_until_finished()
        if self._sealed is not None:  # the last, after all that were asked for before
            self._sealed.result()

    def close(self) -> None:
        """Waits, and lets go of the directory."""
        self.wait()
        self._sealing.shutdown()
        self._manager.close()

    def _seal(self) -> None:
        """Writes the digests of what is complete, once the write that goes on is."""
        while self._manager.is_saving_in_progress():
            time.sleep(0.02)
        for folder in seal.complete(self.directory):
            if not seal.is_sealed(folder):
                with contextlib.suppress(FileNotFoundError):  # an old one that is being removed
                    seal.put(folder, self._beside.get(int(folder.name), {}))


def read(folder: Path, like: PyTree, *, leave_out: Sequence[str] = ()) -> PyTree:
    """State of one checkpoint, on this process's first device; nothing in its folder changes, and none is locked.

    Args:
      folder: of the checkpoint, sealed.
      like: what `init` makes of the run's own key and first batch; or shapes alone (`jax.eval_shape`), where nothing in
        the state is `Rebuildable` and nothing is left out.
      leave_out: as in `Checkpoints`.
    Raises:
      BadInput: if it does not fit `like` or cannot be read.
    """
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    place, item = jax.sharding.SingleDeviceSharding(jax.local_devices()[0]), (folder / "default").absolute()
    with ocp.StandardCheckpointer() as checkpointer:

        def one(names, wanted):
            shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), wanted(names))
            return checkpointer.restore(item, shapes)

        return _restored(
            folder, like, frozenset(leave_out), lambda: checkpointer.metadata(item).item_metadata.tree, one
        )


def _restored(
    folder: Path,
    like: PyTree,
    leave_out: frozenset[str],
    known: Callable[[], Mapping[str, PyTree]],
    restore: Callable[..., Mapping[str, PyTree]],
) -> PyTree:
    """A state like `like`: `known()` says what was written, `restore(names, wanted)` reads it.

    Raises:
      BadInput: if it does not fit, or cannot be read.
    """
    rest, used, anew = _divided(like, leave_out)
    apart = used | anew

    def wanted(names):
        parts = (rest, {name: apart[name] for name in names})
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(like)):
            return jax.eval_shape(_writable, *parts)
        return jax.tree.map(ocp.utils.to_shape_dtype_struct, _writable(*parts))

    try:
        return _readable(like, apart, restore(known().get(APART, {}), wanted))
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"checkpoint {folder} cannot be restored: {first_line(error)}") from error


class _NewestAndBest:
    """Which checkpoints stay: orbax asks after each save.

    The best is known by what was saved beside each, so that it outlives the process that saw it.
    """

    def __init__(self, keep: int, best: str, beside: Mapping[int, Mapping[str, Any]]):
        self.keep, self.beside = keep, beside
        self.best, self.sign = best.removesuffix(":max"), -1.0 if best.endswith(":max") else 1.0

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Of each checkpoint, whether it stays; of equals the first is the best."""
        steps = [checkpoint.step for checkpoint in checkpoints]
        metrics = {step: self.beside.get(step, {}).get("metrics", {}) for step in steps}
        known = [(self.sign * of[self.best], step) for step, of in metrics.items() if self.best in of]
        stay = {*steps[-self.keep :], *(step for _, step in sorted(known)[:1])}
        return [step in stay for step in steps]


@contextlib.contextmanager
def _storage_errors(directory: Path) -> Iterator[None]:
    """Storage errors arrive as others, with the cause deep in their text or as what follows; raise the cause."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        code = re.search(r"os_error_code='(\d+)'", str(error))
        if not code and directory.exists():
            raise
        number = int(code[1]) if code else errno.ENOENT
        raise OSError(number, os.strerror(number)) from error


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _divided(state: PyTree, leave_out: frozenset[str]) -> tuple[PyTree, dict[str, Array], dict[str, Array]]:
    """The state with nothing in the places of some leaves, and these by path: those in use, and those made anew.

    Among the latter is what is empty: orbax writes no array without numbers.
    """
    rebuildable = {
        (*path, jax.tree_util.GetAttrKey("value")): bool(jnp.all(node.is_initial))
        for path, node in jax.tree.leaves_with_path(state, is_leaf=lambda node: isinstance(node, Rebuildable))
        if isinstance(node, Rebuildable)
    }
    used, anew = {}, {}

    def one(path, leaf):
        is_initial = [initial for value, initial in rebuildable.items() if path[: len(value)] == value]
        name = tree.name(path)
        if any(is_initial) or leave_out & {*name.split("/")} or leaf.size == 0:
            anew[name] = leaf
        elif is_initial:
            used[name] = leaf
        else:
            return leaf
        return ()

    return jax.tree.map_with_path(one, state), used, anew


def _writable(rest: PyTree, used: Mapping[str, Array]) -> dict[str, PyTree]:
    """Both in a folder of their own, typed keys (of games, of environments) as the integers that they hold."""
    whole = {STATE: rest, APART: used} if used else {STATE: rest}
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, whole)


def _readable(like: PyTree, apart: Mapping[str, Array], found: Mapping[str, PyTree]) -> PyTree:
    """A state like `like` of what a checkpoint has, and of what it has not."""
    rest, used = iter(jax.tree.leaves(found[STATE])), found.get(APART, {})

    def one(path, leaf):
        name = tree.name(path)
        if name in apart and name not in used:
            return jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf
        data = used[name] if name in used else next(rest)
        return jax.random.wrap_key_data(data) if _is_key(leaf) else data

    return jax.tree.map_with_path(one, like)
