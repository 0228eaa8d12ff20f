"""Splits of TFDS data sets, read without TensorFlow."""

import functools
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data.split import Split, StoredSplit, stacked

MEMORY_LIMIT = 2**31  # bytes of decoded examples; a larger split stays on disk
_SAMPLE = 16  # examples from which that size is estimated


def load(name: str, split: str, data_dir: str = "") -> Split:
    """One split of a TFDS data set that was prepared as array_record; bundled sets are prepared on first use.

    A split within `MEMORY_LIMIT` is read into memory, once a process; a larger one is a `StoredSplit`.

    Args:
      name: TFDS name. `digits` is bundled: scikit-learn's 1,797 handwritten digits, `image` uint8 `[8, 8, 1]` and
        `label`; the first 1,437 are `train` and the last 360, by other writers, `test`.
      split: "train", "test", "train[:90%]", "train+test", ...
      data_dir: where TFDS keeps its data; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
      BadInput: if the data set or the split is not there; it says what was looked for, where, and how to get it.
    """
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    return _load(name, split, Path(folder).expanduser().absolute())


@functools.lru_cache(maxsize=16)
def _load(name: str, split: str, folder: Path) -> Split:
    from adl.data.bundled import BUNDLED
    from adl.data.prepare import first_line, prepared

    stem = re.split("[/:]", name)[0]
    found = prepared(stem, folder) if stem in BUNDLED else folder
    if not stem or not (found / stem).is_dir():
        raise BadInput(_missing(name, folder, list(BUNDLED)))
    builder = _builder(name, found)
    try:
        source = builder.as_data_source(split)
    except NotImplementedError:
        raise BadInput(f"data set {name} in {found} is not in array_record format; {_how(name, folder)}") from None
    except Exception as error:  # TFDS has no class of its own for a split that it cannot read
        splits = ", ".join(builder.info.splits) or "none"
        raise BadInput(f"data set {name} in {found} has no split {split} ({first_line(error)}), but {splits}") from None
    if not len(source):
        raise BadInput(f"data set {name} in {found}, split {split}: no examples")
    if _num_bytes(source) > MEMORY_LIMIT:
        return StoredSplit(source, builder.info)
    return Split(stacked(source.__getitems__(list(range(len(source))))), builder.info)


def _builder(name: str, folder: Path) -> Any:
    import tensorflow_datasets as tfds

    from adl.data.prepare import first_line

    try:
        return tfds.builder(name, data_dir=folder)
    except Exception as error:  # TFDS raises what it likes for a folder that holds no data set
        raise BadInput(f"data set {name} in {folder} cannot be read: {first_line(error)}") from error


def _num_bytes(source: Any) -> float:
    """Estimated size of a decoded split."""
    sample = stacked(source.__getitems__(list(range(min(_SAMPLE, len(source))))))
    sizes = [sum(map(_size, array)) if array.dtype == object else array.nbytes for array in sample.values()]
    return sum(sizes) / len(next(iter(sample.values()))) * len(source)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        return sum(map(_size, value))
    return value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, bytes) else 8


def _missing(name: str, folder: Path, bundled: list[str]) -> str:
    from adl.data.prepare import did_you_mean

    if not folder.is_dir():
        return f"no data set {name} in {folder}, which is no folder; {_how(name, folder)}"
    here = sorted({path.relative_to(folder).parts[0] for path in folder.glob("[a-z]*/**/dataset_info.json")})
    return f"no data set {name} in {folder}{did_you_mean(name, [*bundled, *here])}; {_how(name, folder)}"


def _how(name: str, folder: Path) -> str:
    return f"give the --data_dir that has it, or with internet: python -m adl.data.prepare {name} --data_dir {folder}"
