"""Other people's weights: tensors by name, and the configuration of the network they belong to.

A folder as Hugging Face's `save_pretrained` writes and its hub serves: `config.json` beside `model.safetensors`, or
beside parts that `model.safetensors.index.json` lists. `adl.nn.pretrained` makes a model of them. What a file says of
itself is compared with its length before anything is read, and no file outside of the folder is.
"""

import collections
import itertools
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from adl.core import BadInput, first_line, local_path, sources
from adl.data.files.listing import File, Files, digests

LONGEST_HEADER = 100_000_000  # bytes; the format's own bound
TYPES = {
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16, "BOOL": np.bool_},
    **{f"{sign}{bits}": np.dtype(f"{sign.lower()}{bits // 8}") for sign in "IU" for bits in (8, 16, 32, 64)},
}


class Weights(NamedTuple):
    """What a checkpoint holds."""

    config: dict[str, Any]  # as config.json says
    tensors: dict[str, np.ndarray]  # by the names that their authors gave; of any float type, bfloat16 as well


class Place(NamedTuple):
    """Where a tensor is in a file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int  # bytes behind the header


def weights(path: str | Path) -> Weights:
    """Configuration and tensors of a checkpoint.

    Args:
      path: a folder with `config.json`, or a safetensors file beside one. A folder of Hugging Face's cache may link to
        the cache's own `blobs`; other links must stay in the folder.
    Raises:
      BadInput: if something is not there, is damaged, lies elsewhere, or is of a type that is not read, such as floats
        of 8 bits; one line that says what.
    """
    path = local_path(str(path), "weights")
    folder = path if path.is_dir() else path.parent
    if not os.path.lexists(path):
        how = "they are read from a folder with config.json, model.safetensors and tokenizer.json, never downloaded"
        raise BadInput(f"weights {path}: there is no such folder; {how}")
    config = _json(_below(folder, "config.json"))
    if not path.is_dir():
        return Weights(config, _tensors(path))
    if not (folder / "model.safetensors").exists() and (folder / "model.safetensors.index.json").exists():
        return Weights(config, _parts(folder, _below(folder, "model.safetensors.index.json")))
    return Weights(config, _tensors(_below(folder, "model.safetensors")))


def tensors_of(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of one file by name, without a configuration.

    Raises:
      BadInput: if there is no such file, or it is damaged or of another format; one line that says what.
    """
    return _tensors(local_path(str(path), "weights"))


def write_weights(
    path: str | Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], files: Mapping[str, bytes] = {}
) -> Path:
    """A new folder that `weights` reads, and so does Hugging Face's `from_pretrained`; whole, or not at all.

    Args:
      path: of the folder, which must not be there, or be empty.
      config: what `config.json` says.
      tensors: by name, of the types that `weights` reads.
      files: more of them, by name: what is in `tokenizer.json`.
    Returns:
      The folder.
    Raises:
      BadInput: if there is something already, or it cannot be written.
    """
    folder = local_path(str(path), "the folder").absolute()
    require_new(folder)
    aside = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.tmp")
    try:
        aside.mkdir(parents=True)
        # What is not contiguous would be written in the order of its memory.
        whole = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
        save_file(whole, aside / "model.safetensors", {"format": "pt"})
        texts = {"config.json": f"{json.dumps(config, indent=2, sort_keys=True)}\n".encode()}
        for name, content in {**texts, **files}.items():
            (aside / name).write_bytes(content)
        os.replace(aside, folder)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{folder} cannot be written: {first_line(error)}; choose another folder") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def note_weights(path: str | Path, *names: str) -> None:
    """Says which files a model is of, so that a run goes on with these alone.

    Args:
      path: as in `weights`.
      names: of the files that were read beside `config.json` and the weights.
    """
    home = local_path(str(path), "weights").absolute()
    known, ends = {"config.json", *names}, (".safetensors", ".safetensors.index.json")
    if not home.is_dir():
        known, ends, home = {*known, home.name}, (), home.parent
    found = [file for file in sorted(home.iterdir()) if file.name in known or file.name.endswith(ends)]
    listed = tuple(File(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found if file.is_file())
    sources.note(sources.Noted(str(path), digests(Files(home, str(path), listed))))


def require_new(folder: Path) -> None:
    """Nothing, where a folder is not there or is empty.

    Raises:
      BadInput: it is, or cannot be looked at.
    """
    try:
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInput(f"{folder}: there is something already, and nothing is overwritten; choose a new folder")
    except OSError as error:
        raise BadInput(f"{folder} cannot be looked at: {first_line(error)}; choose another folder") from error


def enclosed(path: str | Path, name: str) -> bytes | None:
    """What is in a file of a checkpoint's folder; None where there is no such file.

    Args:
      path: as in `weights`.
      name: of the file.
    Raises:
      BadInput: if it lies elsewhere or cannot be read.
    """
    path = Path(path).expanduser()
    file = _below(path if path.is_dir() else path.parent, name)
    if not file.exists():
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {first_line(error)}") from error


def _below(folder: Path, name: str) -> Path:
    """A file of the folder, where it is one."""
    file = folder / name
    try:
        home, real, _ = folder.resolve(), file.resolve(), file.exists()
    except (OSError, ValueError, RuntimeError) as error:  # names too long, of odd characters, links in a ring
        raise BadInput(f"{name!r} in {folder} is no name of a file: {first_line(error)}") from error
    homes = [home, home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [home]
    if not any(real.is_relative_to(home) for home in homes):
        raise BadInput(f"{name} is not in {folder} but elsewhere, at {real}: a checkpoint's files lie in its folder")
    return file


def _json(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise BadInput(f"no {file.name} in {file.parent}; a checkpoint is a folder with it and safetensors")
    if not file.is_file():
        raise BadInput(f"{file} is no file")
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} cannot be read: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{file} is no configuration: it must hold names and values")
    return found


def _parts(folder: Path, index: Path) -> dict[str, np.ndarray]:
    """Tensors of the files that an index names."""
    part_of = _json(index).get("weight_map")
    if not isinstance(part_of, Mapping) or not part_of or not all(isinstance(name, str) for name in part_of.values()):
        raise BadInput(f"{index} must hold a weight_map: names of tensors, and the file that each is in")
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(set(part_of.values())):
        found = _tensors(_below(folder, name))
        if twice := sorted(found.keys() & tensors):
            raise BadInput(f"tensor {twice[0]!r} is in two parts of {folder}, the second is {name}")
        tensors |= found
    if lost := sorted(part_of.keys() - tensors):
        raise BadInput(f"{index} names tensor {lost[0]!r}, which no part has")
    return tensors


def _tensors(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        others = ", ".join(sorted(other.name for other in file.parent.glob("*.bin")))
        hint = f"; {others} is of another format: save it again with safe_serialization" if others else ""
        raise BadInput(f"no {file.name} in {file.parent}{hint}")
    try:
        with file.open("rb") as opened:
            places, begin = _places(opened, file.stat().st_size)
            found = {}
            for name, place in places.items():
                opened.seek(begin + place.start)
                found[name] = np.fromfile(opened, place.dtype, math.prod(place.shape)).reshape(place.shape)
            return found
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} is no safetensors file, or damaged: {first_line(error)}") from error


def _places(opened, size: int) -> tuple[dict[str, Place], int]:
    """Where each tensor of a file of `size` bytes is, and where its header ends.

    Raises:
      ValueError: what the header says is not so.
    """
    length = int.from_bytes(opened.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, LONGEST_HEADER):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    header = json.loads(opened.read(length).decode(), object_pairs_hook=_once)
    if not isinstance(header, dict):
        raise ValueError("the header is no list of tensors")
    header.pop("__metadata__", None)
    places = {name: _place(name, entry) for name, entry in header.items()}
    ends = sorted((place.start, place.start + _num_bytes(place)) for place in places.values())
    for (_, end), (start, _) in itertools.pairwise([(0, 0), *ends, (size - 8 - length, 0)]):
        if start != end:
            raise ValueError(f"tensors end at byte {end}, and the next begins, or the file ends, at {start}")
    return places, 8 + length


def _place(name: str, entry: Any) -> Place:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name} needs dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ValueError(f"tensor {name} is of type {dtype}, where {', '.join(TYPES)} are read")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"tensor {name} has shape {shape} and data_offsets {offsets}")
    if len(shape) > 32 or len(offsets) != 2:
        raise ValueError(f"tensor {name} has {len(shape)} axes and {len(offsets)} data_offsets")
    place = Place(np.dtype(TYPES[dtype]), tuple(shape), offsets[0])
    if offsets[1] - offsets[0] != _num_bytes(place):
        raise ValueError(f"tensor {name} of {dtype} {shape} has {offsets[1] - offsets[0]} bytes")
    return place


def _num_bytes(place: Place) -> int:
    return math.prod(place.shape) * place.dtype.itemsize


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of which no name stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = collections.Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{twice} stands twice in the header")
    return found
