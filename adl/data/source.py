"""Splits of data sets: TFDS's, read without TensorFlow, and one's own, by their path."""

import functools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from adl.core import BadInput, did_you_mean, first_line, sources
from adl.data import files
from adl.data.files.found import TEST_SHARE, Asked
from adl.data.mapping import as_wanted, own_split, require_wanted
from adl.data.prepare import prepared, tfds_folder
from adl.data.split import Split, StoredSplit, stacked

MEMORY_LIMIT = 2**31  # bytes of decoded examples; a larger split stays on disk
AS_IS = Asked()
_SAMPLE = 16  # examples from which that size is estimated


def load(name: str, split: str, data_dir: str = "", *, wanted: Sequence[str] = (), **how: Any) -> Split:
    """One split of a data set: of one's own, where it is called by its path (`data.folder`), else of TFDS.

    TFDS's was prepared as array_record; bundled sets are prepared on first use.

    A split within `MEMORY_LIMIT` is read into memory, once a process; a larger one is a `StoredSplit`.

    Args:
      name: TFDS name. `digits` is bundled: scikit-learn's 1,797 handwritten digits, `image` uint8 `[8, 8, 1]` and
        `label`; the first 1,437 are `train` and the last 360, by other writers, `test`. So is `diabetes`: its table of
        442 patients, `features` `[10]` and `target`, the last 90 of whom are `test`; and `breast_cancer` and `wine`:
        its 569 tumours, `features` `[30]`, and 178 wines, `features` `[13]`, with `label`; and `iris`: 150 flowers, a
        column for each of four measurements, and `label`; these three all in `train`. And so is
        `python_library`: 2 MiB of modules of the running Python's own standard library, `name` and `text`, cut by file
        into `train`, and about a twentieth each `validation` and `test`; and `python_reference`: what its `help()` says
        of the language, 0.4 MiB by topic, `name` and `text`, cut into `train`, and about an eighth `test`. And so are
        `reviews`, `spelled_de_en`, `part_songs`, by rules, and made `scenes/NAME` and `sounds/NAME` (`data.sounds`).
      split: "train", "test", "train[:90%]", "train+test", ...
      data_dir: where TFDS keeps its data; empty: $TFDS_DATA_DIR, else ~/tensorflow_datasets.
      wanted: columns that `columns` may name; none: any.
      **how: the fields of `Asked`: `columns`, `test_share`, `picture_size`, `picture_fit`, `picture_colour`.

    Raises:
      BadInput: if the data set or the split is not there; it says what was looked for, where, and how to get it.
    """
    reading = Asked(**how)
    require_wanted(reading.columns, wanted)
    if files.is_path(name):
        try:
            noun = next((noun for noun in ("text", "objects", "image") if noun in wanted), "")
            return own_split(files.listing_of(name), split, reading, noun, MEMORY_LIMIT)
        except BadInput as error:
            raise error if str(error).startswith("--") else BadInput(f"--dataset {error}") from None
    if reading.test_share != TEST_SHARE:
        raise BadInput(f"--test_share {reading.test_share:g}: the splits of {name} are its own; leave it out")
    found = _load(name, split, tfds_folder(data_dir), reading)
    sources.note(sources.Noted(name, {f"{part}": [of.num_examples] for part, of in found.info.splits.items()}))
    return found


@functools.lru_cache(maxsize=16)
def _load(name: str, split: str, folder: Path, reading: Asked = AS_IS) -> Split:
    from adl.data.bundled import BUNDLED

    stem, plain = re.split("[/:]", name)[0], name.split(":")[0]
    known = plain if plain in BUNDLED else stem
    if known in BUNDLED:
        full = f"{known}:{BUNDLED[known].VERSION}"
        if name not in (known, full):
            raise BadInput(f"no data set {name}: {known} is bundled, as {full} alone")
        folder, name = prepared(known, folder), full
        how = f"remove {folder / known}, and it is prepared anew"
    elif any(key.startswith(f"{stem}/") for key in BUNDLED):
        kinds = [key for key in BUNDLED if key.startswith(f"{stem}/")]
        raise BadInput(f"no data set {name}: bundled are {', '.join(kinds)}{did_you_mean(plain, kinds)}")
    else:
        how = _how(name, folder)
    if not re.fullmatch(r"\w+(/\w[\w.-]*)?(:[\w.*]+)?", name):
        raise BadInput(f"no data set {name!r}: a TFDS name is NAME, NAME/CONFIG or NAME:VERSION{_here(name)}")
    if not os.path.isdir(folder / stem):
        raise BadInput(f"no data set {name} in {folder}{_alternative(name, folder, list(BUNDLED))}; {how}")
    _require_plain(name, folder, stem, how)
    source, info = _source(name, split, folder, how)
    checked = _Checked(source, info.features, f"data set {name} in {folder}", how)
    stored = as_wanted(StoredSplit(checked, info), reading, is_own=False)
    if _num_bytes(stored.source) > MEMORY_LIMIT:
        return stored
    return Split(stacked(stored.source.__getitems__(list(range(len(checked))))), stored.info)


def splits(
    name: str,
    *wanted: str,
    of: Sequence[str] = ("train", "test"),
    data_dir: str = "",
    num_classes: int = 1,
    **how: Any,
) -> tuple[Split, ...]:
    """Splits of a data set that have what an experiment wants.

    Args:
      name: as in `load`.
      *wanted: columns that each must have, and that are kept; see `Split.require`.
      of: the splits, in TFDS's words.
      data_dir: as in `load`.
      num_classes: that must have examples in the first split, at least: of one alone nothing can be told apart.
      **how: as in `load`.

    Raises:
      BadInput: as `load` and `Split.require`; or if pictures of one are of another size than those of the next, or it
        has classes that the first has not.
    """
    found = tuple(load(name, split, data_dir, wanted=wanted, **how).require(*wanted) for split in of)
    for split, words in zip(found, of, strict=True):
        if {"image", "clip"} & {*wanted} and split.example_shape != found[0].example_shape:
            shapes = " and ".join(str(list(one.example_shape)) for one in (found[0], split))
            told = f"{'pictures' if 'image' in wanted else 'clips'} of {shapes}"
            raise BadInput(f"data set {name}: {of[0]} and {words} have {told}: they must be of one size")
        for column in {"x", "y"} & {*wanted}:
            _require_finite(split, column, f"data set {name}, split {words}")
        if "label" in wanted:
            _check_classes(split.column("label"), found[0].num_classes, f"data set {name}, split {words}")
    if num_classes > 1 and len(present := found[0].some_classes(num_classes)) < num_classes:
        told = f"{len(present)} class{'es' * (len(present) != 1)} in {of[0]}"
        raise BadInput(f"data set {name} has {told}, and {num_classes} at least are wanted: nothing can be told apart")
    return found


def _require_finite(split: Split, column: str, where: str) -> None:
    """Raises BadInput if a number in memory is missing or infinite."""
    if isinstance(split, StoredSplit) or split.arrays[column].dtype.kind != "f":
        return
    is_lost = ~np.isfinite(split.arrays[column]).reshape(len(split), -1).all(1)
    if is_lost.any():
        told = f"{column} of {is_lost.sum()} rows has values that are missing or infinite"
        raise BadInput(f"{where}: {told}, the first in row {np.flatnonzero(is_lost)[0]}")


def _check_classes(label: np.ndarray, num_classes: int, where: str) -> None:
    """Raises BadInput unless all labels are within the classes."""
    if label.size and not 0 <= label.min() <= label.max() < num_classes:
        raise BadInput(
            f"{where}: its labels go from {label.min()} to {label.max()}; they must be in 0 ... {num_classes - 1}, the "
            "classes of the split to learn from"
        )


class _Checked:
    """A source whose examples are there, and what their features say; else it is one line, whenever they are read."""

    def __init__(self, source: Any, features: Mapping[str, Any], where: str, how: str):
        self.source, self.features, self.where, self.how = source, features, where, how

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        try:
            examples = self.source.__getitems__(rows)
            for row, example in zip(rows, examples, strict=True):
                for name, feature in self.features.items():
                    _require_like(feature, example[name], f"{name} of example {row}")
            return examples
        except Exception as error:  # array_record's, and of each feature its own
            raise BadInput(f"{self.where} is damaged: {first_line(error)}; {self.how}") from error


def _require_like(feature: Any, value: Any, where: str) -> None:
    """Refuses a value that is not what its feature says of shape and classes.

    Raises:
      ValueError: saying what it is.
    """
    if value is None and type(feature).__name__ != "Optional":
        raise ValueError(f"{where} is not there")
    wanted, found = getattr(feature, "shape", None), np.shape(value) if isinstance(value, np.ndarray) else None
    if isinstance(wanted, tuple) and found is not None:
        if len(wanted) != len(found) or any(size not in (None, n) for size, n in zip(wanted, found, strict=True)):
            raise ValueError(f"{where} has the shape {found}, not {wanted}")
    classes = getattr(feature, "num_classes", None)
    if classes and isinstance(value, int | np.integer) and not value < classes:
        raise ValueError(f"{where} is {value}, of {classes} classes")


def _require_plain(name: str, folder: Path, stem: str, how: str) -> None:
    """Refuses features that are no code of TFDS: it imports whatever a folder names."""
    for path in sorted((folder / stem).rglob("features.json")):
        try:
            classes = [*_classes(json.loads(path.read_bytes()))]
        except (OSError, ValueError, TypeError, RecursionError) as error:
            told = f"{path} cannot be read ({first_line(error)})"
            raise BadInput(f"data set {name} in {folder}: {told}; {how}") from error
        for named in classes:
            if not re.fullmatch(r"tensorflow_datasets\.[\w.]+", str(named)):
                raise BadInput(f"data set {name} in {folder}: {path} names {named}, which is no feature of TFDS; {how}")


def _classes(features: Any) -> Iterator[Any]:
    """The classes that a JSON value names, wherever."""
    for key, value in features.items() if isinstance(features, dict) else enumerate(features):
        if key in ("pythonClassName", "type"):
            yield value
        if isinstance(value, dict | list):
            yield from _classes(value)


def _require_shards(info: Any, split: str) -> None:
    """Refuses files of a split that are elsewhere, or have not as many examples as its data set says.

    Raises:
      ValueError: naming the file.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    for shard in info.splits[split].file_instructions:
        path = os.path.normpath(shard.filename)
        if not path.startswith(os.path.normpath(info.data_dir) + os.sep):
            raise ValueError(f"{path} is not in its folder")
        reader = ArrayRecordReader(path)
        count = reader.num_records()
        reader.close()
        if count != shard.examples_in_shard:
            raise ValueError(f"{path} has {count} examples, and should have {shard.examples_in_shard}")


def _source(name: str, split: str, folder: Path, how: str) -> tuple[Any, Any]:
    """TFDS's data source of a split, and the data set's info."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=folder)
    except Exception as error:  # TFDS raises what it likes for a folder that holds no data set
        raise BadInput(f"data set {name} in {folder} cannot be read: {first_line(error)}; {how}") from error
    try:
        source = builder.as_data_source(split)
    except NotImplementedError:
        raise BadInput(f"data set {name} in {folder} is not in array_record format; {how}") from None
    except Exception as error:  # nor has it a class for splits that are not there, or empty
        splits = ", ".join(builder.info.splits) or "none"
        raise BadInput(
            f"data set {builder.name} has no split {split} ({first_line(error)}); it has {splits}"
        ) from error
    try:
        _require_shards(builder.info, split)
    except Exception as error:  # array_record's too, of files that are gone, corrupt or cut short
        raise BadInput(f"data set {name} in {folder} is damaged: {first_line(error)}; {how}") from error
    return source, builder.info


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


def _here(name: str) -> str:
    return f"; did you mean ./{name}, which is here?" if name and os.path.exists(name) else ""


def _alternative(name: str, folder: Path, bundled: list[str]) -> str:
    if here := _here(name):
        return here
    if not os.path.isdir(folder):
        return ", which is no folder"
    here = sorted({path.relative_to(folder).parts[0] for path in folder.glob("[a-z]*/**/dataset_info.json")})
    close = get_close_matches(name, [*bundled, *here], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _how(name: str, folder: Path) -> str:
    from adl.data.research import DERIVED, SETS

    stem = re.split("[/:]", name)[0]
    if stem in DERIVED:
        return f"give the --data_dir that has it; it cannot be made here: {DERIVED[stem]}"
    if stem in SETS:
        away = f"move {folder / stem} away, and " if os.path.isdir(folder / stem) else ""
        command = f"python -m adl.data prepare {stem} RAW_FOLDER --data_dir {shlex.quote(str(folder))}"
        files = f"{', '.join(SETS[stem].files)} (from {SETS[stem].source})"
        return f"give the --data_dir that has it, or {away}make it: `{command}`, where RAW_FOLDER holds {files}"
    command = f"tfds.builder('{name}', data_dir='{folder}', file_format='array_record').download_and_prepare()"
    return (
        "give the --data_dir that has it, or prepare it once where there is internet (and TensorFlow, which most of "
        f'TFDS\'s builders want; reading wants none): python -c "import tensorflow_datasets as tfds; {command}"'
    )
