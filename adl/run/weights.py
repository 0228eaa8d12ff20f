"""Weights: the tensors of a state that are worth keeping, by name; in files of safetensors, and in checkpoints.

Of learners: the parameters, `params/Dense_0/kernel`, what they carry besides, `batch_stats/...`, and the average of the
parameters, `averaged/...`; of a teacher `teacher/variables/...`. Of a state without learners all leaves.
"""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from adl.core import BadInput, PyTree, local_path, tree
from adl.run import checkpoint, folder, kept, seal

WEIGHTS, CARD = "model.safetensors", "card.md"
WHOLE = "state"  # the name of a state that is a single array


class Stock(NamedTuple):
    """Weights to begin with."""

    path: str  # as it was asked for
    file: Path  # of which there is a digest: the weights, or the seal of the checkpoint
    digest: str  # its sha256
    tensors: Mapping[str, np.ndarray]
    num_axes: int  # leading axes, of several runs


def exported(names: Sequence[str]) -> dict[str, str]:
    """Name of a state's leaf -> name of the tensor that it is in a file of weights; of those that are worth keeping.

    Args:
      names: of all leaves of a state, as `core.tree.name` has them.
    """
    homes = {found[1] for name in names if (found := re.match(r"(|.*/)opt_state/", name))}
    if not homes:
        return {name: name or WHOLE for name in names}
    kept = {}
    for name in names:
        home = max((home for home in homes if name.startswith(home)), key=len, default=None)
        rest = name.removeprefix(home or "")
        if average := re.match(r"opt_state/(?:.*/)?average/(.*)", rest):
            kept[name] = f"{home}averaged/{average[1]}"
        elif home is not None and rest.startswith(("params/", "extras/")):
            kept[name] = f"{home}{rest.removeprefix('extras/')}"
        elif re.search(r"(^|/)variables/", name) and not rest.startswith("opt_state/"):  # of a teacher
            kept[name] = name
    return kept


def tensors(state: PyTree) -> dict[str, Any]:
    """The leaves of a state that are worth keeping, by their names in a file; keys are none."""
    leaves = {tree.name(path): leaf for path, leaf in jax.tree.leaves_with_path(state)}
    keys = {n for n, leaf in leaves.items() if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)}
    return {to: leaves[name] for name, to in exported([*leaves]).items() if name not in keys}


def stock_of(where: str) -> Stock:
    """The weights of a file, an exported folder, a run's folder (its newest checkpoint), or a checkpoint's folder.

    Raises:
      BadInput: if it is none of these, or damaged.
    """
    path = local_path(where, "--init_from")
    if path.is_dir() and (path / WEIGHTS).exists():
        path = path / WEIGHTS
    try:
        if path.is_file():
            return _of_file(where, path)
        if not path.is_dir():
            raise BadInput(f"--init_from {where}: there is no such file or folder")
        is_step = path.parent.name == kept.CHECKPOINTS and path.name.isdigit() and (path / seal.SEAL).exists()
        if not is_step:
            home = kept.run_below(path)
            path = home / kept.CHECKPOINTS / str(kept.kept_steps(home)[-1])
        home = path.parent.parent
        kept.chosen_step(home, kept.kept_steps(home), int(path.name), "")
        saved = folder.read_object(home / folder.CONFIG, f"{home}: ", "choose another") or {}
        num_axes = (saved.get("num_seeds", 1) > 1) + bool(saved.get("sweep"))
        return Stock(where, path / seal.SEAL, digest(path / seal.SEAL), checkpoint_tensors(path), num_axes)
    except OSError as error:
        raise BadInput(f"--init_from {where}: {error.strerror or error}") from None
    except BadInput as error:
        raise BadInput(
            str(error) if str(error).startswith("--init_from") else f"--init_from {where}: {error}"
        ) from None


def checkpoint_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a sealed checkpoint, whatever its experiment and its devices."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    with ocp.PyTreeCheckpointer() as checkpointer:
        item = (path / "default").absolute()
        written = checkpointer.metadata(item).item_metadata.tree
        here = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), written)
        found = checkpointer.restore(item, restore_args=here)
    return {name: np.asarray(leaf) for name, leaf in tensors(found[checkpoint.STATE]).items()}


def _of_file(where: str, path: Path) -> Stock:
    """Of a safetensors file, ours or another's."""
    from safetensors import SafetensorError, safe_open
    from safetensors.flax import load_file

    try:
        with safe_open(path, framework="numpy") as opened:
            told = opened.metadata() or {}
        found = {name: np.asarray(leaf) for name, leaf in load_file(path).items()}
        num_axes = int(told.get("num_axes", 0))
    except (SafetensorError, ValueError, TypeError) as error:
        raise BadInput(f"--init_from {where}: {path.name} is no safetensors file, or damaged: {error}") from None
    return Stock(where, path, digest(path), found, num_axes)


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
