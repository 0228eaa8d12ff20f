"""Seals: what says of a checkpoint that it is whole, unchanged, and of which step.

A checkpoint's folder is written by orbax; what belongs to it beside the state (`BESIDE`) and the digests of all its
files (`SEAL`) are written once that is complete. What has no seal was cut off by a kill, or by worse.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adl.core import BadInput
from adl.run import folder as files

SEAL, BESIDE = "digests.json", "beside.json"
PASSING = re.compile(r"[.].*|.*[.]orbax-checkpoint-tmp.*")  # what a kill leaves and orbax removes; what a system hides


def complete(directory: Path) -> list[Path]:
    """Folders of the checkpoints that were written to their end, in the order of their steps."""
    folders = directory.iterdir() if directory.is_dir() else []
    return sorted((folder for folder in folders if _is_step(folder)), key=lambda folder: int(folder.name))


def is_sealed(folder: Path) -> bool:
    """Whether a checkpoint has its seal."""
    return (folder / SEAL).exists()


def put(folder: Path, beside: Mapping[str, Any]) -> None:
    """Seals a complete checkpoint.

    Args:
      folder: named after the step.
      beside: what belongs to it beside the state, as JSON has it.
    Raises:
      OSError: if it cannot be written.
    """
    files.write(folder / BESIDE, json.dumps(beside))
    files.write(folder / SEAL, json.dumps({"step": int(folder.name), "files": _digests(folder)}))


def read_beside(folder: Path) -> dict[str, Any]:
    """What belongs to a checkpoint beside its state; nothing where it has no seal yet, or is damaged."""
    try:
        found = json.loads((folder / BESIDE).read_bytes()) if is_sealed(folder) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def set_aside_damaged(directory: Path) -> list[str]:
    """Moves checkpoints that are not as they were sealed out of the way, newest first, up to the first sound one.

    Returns:
      A line for each, that says what was found and where it is now.
    Raises:
      BadInput: where something is no checkpoint, or may not be read or moved.
    """
    lines = []
    try:
        for path in directory.iterdir() if directory.is_dir() else ():
            if not _is_step(path) and not PASSING.fullmatch(path.name):
                raise BadInput(f"{path}: it is no checkpoint; move it elsewhere")
        for folder in reversed(complete(directory)):
            reason = damage(folder)
            if reason is None:
                break
            aside = _free(directory.parent / "damaged", folder.name)
            aside.parent.mkdir(exist_ok=True)
            folder.rename(aside)
            lines.append(f"checkpoint {folder.name} is damaged ({reason}); it is now {aside}")
    except OSError as error:
        raise BadInput(f"{error.filename or directory}: {error.strerror or error}") from None
    return lines


def _is_step(path: Path) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,17}", path.name) is not None and path.is_dir()


def _free(directory: Path, name: str) -> Path:
    """A path in a directory at which nothing is yet."""
    names = [name, *(f"{name}-{number}" for number in range(2, 2 + len([*directory.glob(f"{name}*")])))]
    return next(path for path in map(directory.joinpath, names) if not path.exists())


def damage(folder: Path) -> str | None:
    """What differs from the seal of a checkpoint; None where nothing does.

    Raises:
      PermissionError: if it may not be read.
    """
    try:
        sealed = json.loads((folder / SEAL).read_bytes())
        step, files_sealed = sealed["step"], dict(sealed["files"])
    except FileNotFoundError:
        return "it has no seal: the run ended while it was written"
    except PermissionError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return f"{SEAL} cannot be read"
    if step != int(folder.name):
        return f"it is the one of step {step}"
    found = _digests(folder)
    for name in sorted(files_sealed.keys() | found.keys()):
        if name not in found:
            return f"{name} is missing"
        if files_sealed.get(name) != found[name]:
            return f"{name} is not what was written"
    return None


def _digests(folder: Path) -> dict[str, str]:
    """Digest of each file by its path within the folder."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.stem != Path(SEAL).stem)
    return {str(path.relative_to(folder)): _digest(path) for path in paths}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
