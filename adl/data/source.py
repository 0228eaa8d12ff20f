"""Splits of TFDS data sets, read without TensorFlow."""

import errno
import functools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from adl.core import BadInput

MEMORY_LIMIT = 2**31  # bytes; a split beyond it is read from disk, batch by batch


class Split:
    """Examples `[N]` of one split: named columns with random access.

    A small split is read once and gathered as arrays; a large one stays on disk, and rows are decoded as asked for by
    grain's threads.
    """

    def __init__(self, columns: Mapping[str, np.ndarray] | Any, info: Any = None):
        """Columns `{name: [N, ...]}`, or a TFDS data source; `info` is the data set's, where there is one."""
        self.info = info
        self.columns: dict[str, np.ndarray] | None = None
        if isinstance(columns, Mapping):
            self.columns = {name: _frozen(column) for name, column in columns.items()}
            self._length = len(next(iter(self.columns.values())))
        else:
            self._source, self._length = columns, len(columns)

    def __len__(self) -> int:
        return self._length

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns `[B, ...]` of the rows `[B]`."""
        if self.columns is not None:
            return {name: column[rows] for name, column in self.columns.items()}
        import grain

        read = grain.MapDataset.source(rows).map(lambda row: self._source[int(row)])
        options = grain.ReadOptions(num_threads=os.cpu_count() or 1, prefetch_buffer_size=len(rows))
        return stacked(list(read.to_iter_dataset(options)))

    def require(self, *names: str) -> "Split":
        """Itself, with the named columns only.

        Raises:
          BadInput: if one is missing.
        """
        there = list(self.columns if self.columns is not None else self._source[0])
        if missing := [name for name in names if name not in there]:
            of = f"{self.info.name} " if self.info else ""
            raise BadInput(
                f"--dataset {of}has no {', '.join(missing)}: this experiment wants examples of {', '.join(names)}"
            )
        if self.columns is None:
            return self
        return Split({name: self.columns[name] for name in names}, self.info)

    @property
    def num_classes(self) -> int:
        """Number of classes K of the column "label"."""
        if self.info:
            return self.info.features["label"].num_classes
        return int(self.take(np.arange(len(self)))["label"].max()) + 1


def load(name: str, split: str, data_dir: str = "") -> Split:
    """One split of a TFDS data set, prepared as array_record; bundled sets are prepared on first use.

    Args:
      name: TFDS name; `digits` is bundled: scikit-learn's 1,797 handwritten digits, `image` uint8 `[8, 8, 1]`, `label`,
        of which the first 1,437 are `train` and the last 360, by other writers, `test`.
      split: "train", "test", "train[:90%]", ...
      data_dir: where TFDS keeps its data; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
      BadInput: if the data set or the split is not there; it says what was looked for, where, and how to get it.
    """
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or str(Path.home() / "tensorflow_datasets")
    return _load(name, split, folder)


@functools.lru_cache(maxsize=16)
def _load(name: str, split: str, folder: str) -> Split:
    import tensorflow_datasets as tfds

    from adl.data.bundled import BUNDLED

    found = _prepared(name, Path(folder)) if name in BUNDLED else Path(folder)
    if not (found / name.partition(":")[0].partition("/")[0]).is_dir():
        raise BadInput(_missing(name, folder, list(BUNDLED)))
    try:
        builder = tfds.builder(name, data_dir=found)
        source = builder.as_data_source(split)
    except (ValueError, KeyError):
        names = ", ".join(builder.info.splits)
        raise BadInput(f"data set {name} in {found} has no split {split}; it has {names}") from None
    except NotImplementedError:
        raise BadInput(f"data set {name} in {found} is not in array_record format; {_how(name, folder)}") from None
    except Exception as error:  # TFDS raises what it likes for folders that hold no data set
        raise BadInput(f"data set {name} in {found} cannot be read: {_line(error)}; {_how(name, folder)}") from error
    if builder.info.splits[split].num_bytes > MEMORY_LIMIT:
        return Split(source, builder.info)
    return Split(stacked(source.__getitems__(list(range(len(source))))), builder.info)


def stacked(examples: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Columns of examples: `[N, ...]` where shapes agree, else `[N]` of objects; text is bytes; integers are int32."""

    def column(values):
        if isinstance(values[0], np.ndarray) and len({value.shape for value in values}) > 1:
            objects = np.empty(len(values), object)
            objects[:] = values
            return objects
        array = np.array(values) if not isinstance(values[0], np.ndarray) else np.stack(values)
        return array.astype(np.int32) if array.dtype == np.int64 else array

    return {name: column([example[name] for example in examples]) for name in examples[0]}


def _prepared(name: str, folder: Path) -> Path:
    """Folder that holds a bundled data set, prepared there if need be, or in the cache if it cannot be written.

    It is built aside and moved in whole: processes may race, and may be killed.
    """
    from adl.data.bundled import BUNDLED

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adl" / "tfds"
    for place in (folder, cache):
        if (place / name).is_dir():
            return place
    reason = ""
    for place in (folder, cache):
        try:
            place.mkdir(parents=True, exist_ok=True)
            if not place.stat().st_mode & 0o222:  # root may write where nobody should
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place))
        except OSError as error:
            reason = f"{place}: {error.strerror}"
            continue
        try:
            BUNDLED[name](aside)
            os.rename(aside / name, place / name)
        except OSError as error:
            if not (place / name).is_dir():  # else another process was faster
                reason = f"{place}: {error.strerror}"
                continue
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return place
    raise BadInput(f"data set {name} cannot be prepared ({reason}); give a --data_dir that can be written")


def _missing(name: str, folder: str, bundled: Sequence[str]) -> str:
    here = sorted(path.name for path in Path(folder).glob("[a-z]*")) if Path(folder).is_dir() else []
    close = get_close_matches(name, [*bundled, *here], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"no data set {name} in {folder}{hint or '; ' + _how(name, folder)}"


def _how(name: str, folder: str) -> str:
    return (
        f"prepare it where there is internet: python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}', "
        f"data_dir='{folder}', file_format='array_record').download_and_prepare()\", or give --data_dir"
    )


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _frozen(column: np.ndarray) -> np.ndarray:
    column = np.asarray(column)
    column.setflags(write=False)
    return column
