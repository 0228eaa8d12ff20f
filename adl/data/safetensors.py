"""Other people's weights: tensors by name, and the configuration of the network they belong to.

A folder as Hugging Face's `save_pretrained` writes and its hub serves: `config.json` beside `model.safetensors`, or
beside parts that `model.safetensors.index.json` lists. `adl.nn.pretrained` makes a model of them.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput


class Weights(NamedTuple):
    """What a checkpoint holds."""

    config: dict[str, Any]  # as config.json says
    tensors: dict[str, np.ndarray]  # by the names that their authors gave; of any float type, bfloat16 as well


def weights(path: str | Path) -> Weights:
    """Configuration and tensors of a checkpoint.

    Args:
      path: a folder with `config.json`, or a safetensors file beside one.
    Raises:
      BadInput: if something is not there or cannot be read; one line that says what.
    """
    path = Path(path).expanduser()
    folder = path if path.is_dir() else path.parent
    config = _json(folder / "config.json")
    index = folder / "model.safetensors.index.json"
    if not path.is_dir():
        files = [path]
    elif index.exists() and not (folder / "model.safetensors").exists():
        files = [folder / name for name in sorted(set(_json(index).get("weight_map", {}).values()))]
    else:
        files = [folder / "model.safetensors"]
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors |= _tensors(file)
    return Weights(config, tensors)


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        raise BadInput(f"no {file.name} in {file.parent}; a checkpoint is a folder with it and safetensors") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{file} is no configuration: it must hold names and values")
    return found


def _tensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not file.is_file():
        others = ", ".join(sorted(other.name for other in file.parent.glob("*.bin")))
        hint = f"; {others} is of another format: save it again with safe_serialization" if others else ""
        raise BadInput(f"no {file.name} in {file.parent}{hint}")
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{file} is no safetensors file, or damaged: {str(error).splitlines()[0]}") from error
