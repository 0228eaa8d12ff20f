"""Splits of TFDS data sets, read without TensorFlow."""

import functools
import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data.prepare import first_line, prepared
from adl.data.split import Split, StoredSplit, stacked

MEMORY_LIMIT = 2**31  # bytes of decoded examples; a larger split stays on disk
_SAMPLE = 16  # examples from which that size is estimated


def load(name: str, split: str, data_dir: str = "") -> Split:
    """One split of a TFDS data set that was prepared as array_record; bundled sets are prepared on first use.

    A split within `MEMORY_LIMIT` is read into memory, once a process; a larger one is a `StoredSplit`.

    Args:
      name: TFDS name. `digits` is bundled: scikit-learn's 1,797 handwritten digits, `image` uint8 `[8, 8, 1]` and
        `label`; the first 1,437 are `train` and the last 360, by other writers, `test`. So is `diabetes`: its table of
        442 patients, `features` `[10]` and `target`, the last 90 of whom are `test`; and `breast_cancer` and `wine`:
        its 569 tumours, `features` `[30]`, and 178 wines, `features` `[13]`, with `label`, all in `train`. And so is
        `python_library`: 2 MiB of modules of the running Python's own standard library, `name` and `text`, cut by file
        into `train`, and about a twentieth each `validation` and `test`.
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

    stem, *more = re.split("(?=[/:])", name)
    if stem in BUNDLED:
        if more not in ([], [f":{BUNDLED[stem].VERSION}"]):
            raise BadInput(f"no data set {name}: {stem} is bundled, as {stem}:{BUNDLED[stem].VERSION} alone")
        folder, name = prepared(stem, folder), f"{stem}:{BUNDLED[stem].VERSION}"
        how = f"remove {folder / stem}, and it is prepared anew"
    else:
        how = _how(name, folder)
    if not re.fullmatch(r"\w+(/\w[\w.-]*)?(:[\w.*]+)?", name):
        raise BadInput(f"no data set {name!r}: a TFDS name is NAME, NAME/CONFIG or NAME:VERSION")
    if not os.path.isdir(folder / stem):
        raise BadInput(f"no data set {name} in {folder}{_alternative(name, folder, list(BUNDLED))}; {how}")
    source, info = _source(name, split, folder, how)
    try:
        if _num_bytes(source) > MEMORY_LIMIT:
            return StoredSplit(source, info)
        return Split(stacked(source.__getitems__(list(range(len(source))))), info)
    except (OSError, RuntimeError, TypeError) as error:  # array_record's, of files that are gone, corrupt or cut short
        raise BadInput(f"data set {name} in {folder} is damaged: {first_line(error)}; {how}") from error


def splits(name: str, *columns: str, of: Sequence[str] = ("train", "test"), data_dir: str = "") -> tuple[Split, ...]:
    """Splits of a data set that have what an experiment wants.

    Args:
      name: as in `load`.
      columns: that each must have, and that are kept; see `Split.require`.
      of: the splits, in TFDS's words.
      data_dir: as in `load`.

    Raises:
      BadInput: as `load` and `Split.require`.
    """
    return tuple(load(name, split, data_dir).require(*columns) for split in of)


def _source(name: str, split: str, folder: Path, how: str) -> tuple[Any, Any]:
    """TFDS's data source of a split, and the data set's info."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=folder)
    except Exception as error:  # TFDS raises what it likes for a folder that holds no data set
        raise BadInput(f"data set {name} in {folder} cannot be read: {first_line(error)}; {how}") from error
    try:
        return builder.as_data_source(split), builder.info
    except NotImplementedError:
        raise BadInput(f"data set {name} in {folder} is not in array_record format; {how}") from None
    except Exception as error:  # nor has it a class for splits that are not there, or empty
        splits = ", ".join(builder.info.splits) or "none"
        raise BadInput(
            f"data set {builder.name} has no split {split} ({first_line(error)}); it has {splits}"
        ) from error


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


def _alternative(name: str, folder: Path, bundled: list[str]) -> str:
    if not os.path.isdir(folder):
        return ", which is no folder"
    here = sorted({path.relative_to(folder).parts[0] for path in folder.glob("[a-z]*/**/dataset_info.json")})
    close = get_close_matches(name, [*bundled, *here], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _how(name: str, folder: Path) -> str:
    command = f"tfds.builder('{name}', data_dir='{folder}', file_format='array_record').download_and_prepare()"
    return (
        "give the --data_dir that has it, or prepare it once where there is internet (and TensorFlow, which most of "
        f'TFDS\'s builders want; reading wants none): python -c "import tensorflow_datasets as tfds; {command}"'
    )
