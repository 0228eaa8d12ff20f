"""Pictures with boxes around their objects: from lists of many lengths to slots of one number.

A split has `image` `[N, H, W, C]`, and of each example S slots, of which its objects fill the first: `box` `[N, S, 4]`
float32 (ymin, xmin, ymax, xmax) relative to height and width, `label` `[N, S]` int32, and `present` `[N, S]` float32,
1 of an object and 0 of an empty slot, which is zeros.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adl.core import BadInput, sources
from adl.data.files.found import About, ClassNames, counted_classes
from adl.data.source import load
from adl.data.split import Split

COLUMNS = ("image", "box", "label", "present")
BEYOND = 1e-3  # by which a box may reach out of its picture, by rounding: it is cut there


def boxed(name: str, *, of: Sequence[str] = ("train", "test"), num_slots: int = 0, **how: Any) -> tuple[Split, ...]:
    """Splits of a data set of pictures with boxes.

    Args:
      name: as in `data.load`: a set of TFDS's with "image" and "objects" of "bbox" and "label", as `coco`, `voc` and
        `bccd`; or one that has the columns of slots already.
      of: the splits, in TFDS's words; the first is learned from.
      num_slots: S; 0: as many as the most objects that an example of any of the splits has.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`, and naming the example: for boxes outside of their picture, more objects than slots, classes that the first split has none of; or for splits without any object.
    """
    if how.get("picture_fit") == "crop":
        raise BadInput("--picture_fit crop: boxes would no longer lie around their objects; resize keeps them there")
    found = [slotted(load(name, split, **how), f"data set {name}, split {split}") for split in of]
    wheres = [f"data set {name}, split {split}" for split in of]
    shapes = [split.example_shape for split in found]
    if len({*shapes}) > 1:
        told = " and ".join(f"{words} of {list(shape)}" for words, shape in zip(of, shapes, strict=True))
        raise BadInput(f"data set {name} has pictures in {told}: they must be of one size")
    names = found[0].class_names
    taught = {*_labels(found[0]).tolist()}
    for split, where in zip(found, wheres, strict=True):
        if lacking := sorted({*_labels(split).tolist()} - taught):
            told = counted_classes([names[k] if k < len(names) else k for k in lacking])
            raise BadInput(f"{where}: objects of {told}, of which there are none in {of[0]}, the split to learn from")
        if not (split.arrays["present"] > 0).any():
            raise BadInput(f"{where}: there are no objects in any of its {len(split)} pictures; choose another split")
    return tuple(_with_slots(split, num_slots or _most(found), where) for split, where in zip(found, wheres, strict=True))


def slotted(split: Split, where: str) -> Split:
    """The columns of slots, as many as the most objects that an example has, of lists of objects or of slots.

    Args:
      split: N examples with "objects", each `{"bbox": [n, 4], "label": [n]}`; or with the columns of slots.
      where: what the split is called in a refusal.
    Raises:
      BadInput: naming the example whose boxes are none.
    """
    if "objects" in split.names:
        pictures = split.require("image").arrays["image"]
        lists = [_listed(objects, where) for objects in split.arrays["objects"]]
        feature = getattr(getattr(split.feature("objects"), "feature", {}), "get", {}.get)("label")
    else:
        columns = split.require(*COLUMNS).arrays
        pictures, lists = columns["image"], _of_slots(columns, where)
        feature = split.feature("label")
    for row, (box, label) in enumerate(lists):
        _require_boxes(box, label, f"{where}: example {row}")
    lists = _with_area(lists, where)
    feature = getattr(feature, "feature", feature)  # of each of a sequence
    size = max(1, *(len(label) for _, label in lists))
    number = getattr(feature, "num_classes", None) or 1 + max((label.max(initial=0) for _, label in lists), default=0)
    classes = ClassNames(tuple(getattr(feature, "names", None) or map(str, range(number))))
    about = About(getattr(split.info, "name", where), {"label": classes}, getattr(split.info, "splits", ()))
    return Split({"image": pictures, **_filled(lists, size)}, about)


def _listed(objects: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes `[n, 4]` and labels `[n]` of one example of TFDS's."""
    if not isinstance(objects, Mapping) or not {"bbox", "label"} <= {*objects}:
        told = ", ".join(objects) if isinstance(objects, Mapping) else type(objects).__name__
        raise BadInput(f"{where}: objects must have bbox and label, and have {told}")
    return np.array(objects["bbox"], np.float32).reshape(-1, 4), np.array(objects["label"], np.int32)


def _of_slots(columns: Mapping[str, np.ndarray], where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same of the columns of slots."""
    box, label, present = (np.asarray(columns[name]) for name in COLUMNS[1:])
    if box.ndim != 3 or box.shape[2] != 4 or box.shape[:2] != label.shape or label.shape != present.shape:
        shapes = ", ".join(f"{name} {list(columns[name].shape)}" for name in COLUMNS[1:])
        raise BadInput(f"{where}: {shapes}; they must be box [N, S, 4], label [N, S] and present [N, S]")
    if not np.isin(present, (0, 1)).all():
        raise BadInput(f"{where}: present must be 1 of an object and 0 of an empty slot, and has other numbers")
    return [(box[row, at].astype(np.float32), label[row, at].astype(np.int32)) for row, at in enumerate(present > 0)]


def _require_boxes(box: np.ndarray, label: np.ndarray, where: str) -> None:
    """Refuses what is no box within its picture, or no class."""
    is_in = np.isfinite(box).all(1) & (box >= -BEYOND).all(1) & (box <= 1 + BEYOND).all(1)
    if not is_in.all():
        at = np.flatnonzero(~is_in)[0]
        shown = ", ".join(f"{value:g}" for value in box[at])
        pixels = ": divide pixels by these" if (box[at] > 2).any() else ""
        told = f"its box ({shown}) is not within its picture; (ymin, xmin, ymax, xmax) must be in [0, 1], relative to"
        raise BadInput(f"{where}, object {at}: {told} height and width{pixels}")
    if label.size and label.min() < 0:
        raise BadInput(f"{where}: it has an object of class {label.min()}; classes are 0, 1, ...")


def _with_area(lists: Sequence[tuple[np.ndarray, np.ndarray]], where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Without boxes of no area, which nobody can find; the run says how many there were."""
    has_area = [(np.clip(box[:, 2:], 0, 1) > np.clip(box[:, :2], 0, 1)).all(1) for box, _ in lists]
    without = [(row, int(at)) for row, has in enumerate(has_area) for at in np.flatnonzero(~has)]
    if without:
        row, at = without[0]
        told = f"{len(without)} boxes of no area are" if len(without) > 1 else "1 box of no area is"
        first = "the first is " if len(without) > 1 else ""
        remark = f"{where}: {told} left out, {first}object {at} of example {row}"
        sources.note(sources.Noted(f"{where} boxes", {}, (remark,)))
    return [(box[has], label[has]) for (box, label), has in zip(lists, has_area, strict=True)]


def _filled(lists: Sequence[tuple[np.ndarray, np.ndarray]], size: int) -> dict[str, np.ndarray]:
    box, label = np.zeros((len(lists), size, 4), np.float32), np.zeros((len(lists), size), np.int32)
    present = np.zeros((len(lists), size), np.float32)
    for row, (boxes, labels) in enumerate(lists):
        box[row, : len(labels)], label[row, : len(labels)] = np.clip(boxes, 0, 1), labels
        present[row, : len(labels)] = 1
    return {"box": box, "label": label, "present": present}


def _labels(split: Split) -> np.ndarray:
    """Classes of all objects."""
    return np.unique(split.arrays["label"][split.arrays["present"] > 0])


def _most(splits: Sequence[Split]) -> int:
    return max(split.arrays["present"].shape[1] for split in splits)


def _with_slots(split: Split, size: int, where: str) -> Split:
    """The same with so many slots."""
    number = split.arrays["present"].sum(1).astype(int)
    if number.max() > size:
        told = f"example {number.argmax()} has {number.max()} objects"
        raise BadInput(f"--num_slots {size}: {where}: {told}; it must be at least as many, or 0 for as many as needed")
    columns = {"image": split.arrays["image"]}
    for name in COLUMNS[1:]:
        column = split.arrays[name][:, :size]
        columns[name] = np.pad(column, [(0, 0), (0, size - column.shape[1]), *[(0, 0)] * (column.ndim - 2)])
    return Split(columns, split.info)
