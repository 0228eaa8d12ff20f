"""Columns of a data set as those that an experiment wants: renamed by a flag, and brought to the glossary.

--columns image=pixels,label=y        the experiment's image is what the data set calls pixels
--columns x=age+height,y=price        x [N, 2] of two columns of numbers
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean, sources
from adl.data import files
from adl.data.files.found import About, Asked, ClassNames, counted_classes, selected
from adl.data.files.listing import Files, digests
from adl.data.fitting import as_colour, fitted, wanted_size
from adl.data.split import Split, StoredSplit


class Adapter(NamedTuple):
    """What is done to the columns `{name: [B, ...]}` of some examples."""

    names: Mapping[str, Sequence[str]]  # wanted -> found, several where they are joined
    size: tuple[int, int] | None = None  # of pictures
    fit: str = "refuse"
    colour: str = "kept"
    known: np.ndarray | None = None  # values that stand for classes; None: labels stay
    is_own: bool = False  # whether shapes are brought to the glossary's
    where: str = ""  # the data set

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that an experiment sees."""
        moved = {found for names in self.names.values() for found in names}
        result = {name: column for name, column in columns.items() if name not in {*moved, *self.names}}
        for wanted, names in self.names.items():
            parts = [columns[name] for name in names]
            result[wanted] = parts[0] if len(parts) == 1 else np.stack([as_number(part) for part in parts], 1)
        for name, axes in (("image", 3), ("clip", 4)):
            if self.is_own and _is_grey(result.get(name), axes):
                result[name] = result[name][..., None]
        image = result.get("image")
        if image is not None and (self.size or self.colour != "kept"):
            result["image"] = self._pictures(result["image"])
        if self.known is not None:
            result["label"] = coded(result["label"], self.known, self.where)
        return result

    def _pictures(self, images: Any) -> Any:
        if any(not isinstance(image, np.ndarray) or image.ndim != 3 or image.dtype != np.uint8 for image in images):
            flag = f"picture_fit {self.fit}" if self.size else f"picture_colour {self.colour}"
            raise BadInput(f"--{flag}: image is not uint8 [N, H, W, C]; --columns image=NAME names another")
        found = [as_colour(image, self.colour) for image in images]
        if self.size:
            found = [fitted(image, self.size, self.fit) for image in found]
        return np.stack(found)


class Adapted:
    """A source whose examples are as an experiment wants them."""

    def __init__(self, source: Any, adapter: Adapter):
        self.source, self.adapter = source, adapter

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [self._one(example) for example in self.source.__getitems__(rows)]

    def column(self, name: str) -> np.ndarray | None:
        """A whole column, where the source knows its own."""
        found = self.adapter.names.get(name, [name])
        if len(found) > 1 or name == "image":
            return None
        whole = getattr(self.source, "column", lambda name: None)(found[0])
        is_coded = whole is not None and name == "label" and self.adapter.known is not None
        return coded(whole, self.adapter.known, self.adapter.where) if is_coded else whole

    def _one(self, example: Mapping[str, Any]) -> dict[str, Any]:
        result = self.adapter({name: _alone(value) for name, value in example.items()})
        return {name: column[0] for name, column in result.items()}


def own_split(listing: Files, split: str, reading: Asked, noun: str, limit: int) -> Split:
    """A split of the files of a path, which are noted.

    Args:
      listing: of the files.
      split: in TFDS's words.
      reading: how they are read.
      noun: what is wanted of them, as in `files.found_in`.
      limit: bytes of decoded examples that are read into memory.
    Raises:
      BadInput: as `files.found_in`, or for columns and splits that are not there.
    """
    remarks = files.found_in(listing, reading._replace(columns=""), noun, limit).remarks
    sources.note(sources.Noted(listing.where, digests(listing), remarks))
    return _own_split(listing, split, reading, noun, limit)


@functools.lru_cache(maxsize=16)
def _own_split(listing: Files, split: str, reading: Asked, noun: str, limit: int) -> Split:
    found = files.found_in(listing, reading._replace(columns=""), noun, limit)
    train, values = found.parts["train"], None
    label = _label_of(column_names_of(reading.columns))
    if label in train.names and train.feature(label) is None and are_classes(train.first(1).arrays[label]):
        values = train.column(label)
    if found.is_fitted:
        reading = Asked(reading.columns)
    chosen = as_wanted(selected(found, split), reading, is_own=True, values=values)
    stored = [part.source for part in found.parts.values() if isinstance(part, StoredSplit)]
    if not stored or sum(getattr(source, "num_bytes", limit + 1) for source in stored) > limit:
        return chosen
    return Split(chosen.arrays, chosen.info)


def as_wanted(split: Split, reading: Asked, *, is_own: bool, values: Any = None) -> Split:
    """A split as an experiment wants it; itself where nothing is to be done.

    Args:
      split: as it was found.
      reading: the columns and the pictures that are asked for.
      is_own: whether it is no data set of TFDS, whose columns are what they are called.
      values: of the column that is the label, of all that is learned from, where classes are not known.
    Raises:
      BadInput: if a column that is named is not there, or is no picture where pictures are to be fitted.
    """
    names, size = column_names_of(reading.columns), wanted_size(reading.picture_size, reading.picture_fit)
    _require_found(split, names, reading.columns)
    fits = bool(size) or reading.picture_colour != "kept"
    moved = {found for several in names.values() for found in several}
    if fits and "image" not in {*names, *split.names} - (moved - {*names}):
        flag = "picture_size" if size else "picture_colour"
        raise BadInput(f"--{flag} {getattr(reading, flag)}: {split.info.name} has no pictures; leave it out")
    features = _features(split, names)
    known = None
    if is_own and values is not None:
        known = np.unique(np.asarray(values).reshape(-1))
        features["label"] = ClassNames(tuple(map(str, known.tolist())))
    may_be_grey = is_own and {"image", "clip"} & {*split.names, *names}
    if not (names or fits or may_be_grey or known is not None):
        return split
    if fits:
        features.pop("image", None)
    metadata = dict(split.info.metadata or {})
    if len(names.get("x", ())) > 1:
        metadata["columns"] = [*names["x"]]
    about = About(split.info.name, features, split.info.splits, metadata)
    adapter = Adapter(names, size, reading.picture_fit, reading.picture_colour, known, is_own, split.info.name)
    if isinstance(split, StoredSplit):
        return StoredSplit(Adapted(split.source, adapter), about)
    return Split(adapter(split.arrays), about)


def column_names_of(columns: str) -> dict[str, list[str]]:
    """What --columns says: {"image": ["pixels"], "x": ["age", "height"]}.

    Raises:
      BadInput: if it says it in another way.
    """
    found: dict[str, list[str]] = {}
    for part in columns.split(",") if columns else ():
        wanted, _, names = (word.strip() for word in part.partition("="))
        several = [name.strip() for name in names.split("+")]
        if not wanted or not all(several) or wanted in found:
            raise BadInput(
                f"--columns {columns}: it must be WANTED=FOUND,..., each wanted once, such as image=pixels,label=y"
            )
        found[wanted] = several
    return found


def _label_of(names: Mapping[str, Sequence[str]]) -> str:
    """The column found that is the label; empty where --columns joins several, or makes something else of it."""
    if "label" in names:
        return names["label"][0] if len(names["label"]) == 1 else ""
    return "" if any("label" in several for several in names.values()) else "label"


def require_wanted(columns: str, wanted: Sequence[str]) -> None:
    """Refuses a column on the left of --columns that an experiment does not want.

    Raises:
      BadInput: naming those that it does.
    """
    for name in column_names_of(columns):
        if wanted and name not in wanted:
            told = f"this experiment wants {', '.join(wanted)}, not {name}{did_you_mean(name, list(wanted))}"
            raise BadInput(f"--columns {columns}: {told}")


def _require_found(split: Split, names: Mapping[str, Sequence[str]], columns: str) -> None:
    for several in names.values():
        for name in several:
            if name not in split.names:
                told = f"{split.info.name} has no {name}, but {', '.join(split.names)}"
                raise BadInput(f"--columns {columns}: {told}{did_you_mean(name, list(split.names))}")


def _features(split: Split, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What is known of the columns, by their new names."""
    known = {name: split.feature(name) for name in split.names}
    moved = {name for several in names.values() for name in several}
    kept = {name: feature for name, feature in known.items() if name not in moved}
    kept |= {wanted: known[several[0]] for wanted, several in names.items() if len(several) == 1}
    return {name: feature for name, feature in kept.items() if feature is not None}


def _is_grey(column: Any, axes: int) -> bool:
    """Whether pictures or clips lack the axis of their one channel."""
    return isinstance(column, np.ndarray) and column.dtype == np.uint8 and column.ndim == axes


def as_number(column: Any) -> np.ndarray:
    """A column that is joined with others.

    Raises:
      BadInput: if it is not one number a row.
    """
    column = np.asarray(column)
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise BadInput("--columns: columns that are joined by + must be one number a row each")
    return column.astype(np.float64)


def are_classes(column: Any) -> bool:
    """Whether a column is of integers or words, one a row, that can be classes."""
    if not isinstance(column, np.ndarray) or column.ndim > 2 or (column.ndim == 2 and column.shape[1] != 1):
        return False
    return column.dtype.kind in "biuU" or (column.dtype == object and isinstance(column.flat[0], str))


def coded(label: Any, known: np.ndarray, where: str) -> np.ndarray:
    """Values `[B]` or `[B, 1]` as int32 `[B]`: their places among those that are known.

    Raises:
      BadInput: naming the first that is not.
    """
    label = np.asarray(label).reshape(-1)
    found = np.searchsorted(known, label).clip(max=len(known) - 1)
    if (wrong := np.flatnonzero(known[found] != label)).size:
        classes = counted_classes(known)
        raise BadInput(f"{where}: label {label[wrong[0]]} is not among the classes to learn from, {classes}")
    return found.astype(np.int32)


def _alone(value: Any) -> Any:
    """A value as a column of one row."""
    if isinstance(value, np.ndarray | np.generic | int | float):
        return np.asarray(value)[None]
    column = np.empty(1, object)
    column[0] = value
    return column
