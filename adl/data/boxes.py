"""Pictures with boxes around their objects: from lists of many lengths to slots of one number.

A split has `image` `[N, H, W, C]`, and of each example S slots, of which its objects fill the first: `box` `[N, S, 4]`
float32 (ymin, xmin, ymax, xmax) relative to height and width, `label` `[N, S]` int32, `seen` `[N, S]` float32, the
share of an object that nothing hides (1 where that is not known), and `present` `[N, S]` float32: 1 of an object and 0
of an empty slot, which is zeros.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, sources
from adl.data.files.annotated import CROP
from adl.data.files.coco import BEYOND
from adl.data.files.found import About, ClassNames, counted_classes
from adl.data.source import load
from adl.data.split import Split

COLUMNS = ("image", "box", "label", "present")
SLOTS = ("box", "label", "seen", "present")
WANTED = ("image", "objects", "box", "label", "present", "seen")


def boxed(name: str, *, of: Sequence[str] = ("train", "test"), num_slots: int = 0, **how: Any) -> tuple[Split, ...]:
    """Splits of a data set of pictures with boxes.

    Args:
      name: as in `data.load`: a set of TFDS's with "image" and "objects" of "bbox" and "label", as `coco`, `voc` and
        `bccd`; a path to pictures with COCO's annotations.json; or one that has the columns of slots already.
      of: the splits, in TFDS's words; the first is learned from.
      num_slots: S; 0: as many as the most objects that an example of any of the splits has.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`, and naming the example: for boxes outside of their picture, more objects
        than slots, or classes that the first split has none of; or for splits without any object.
    """
    if how.get("picture_fit") == "crop":
        raise BadInput(CROP)
    found = [slotted(load(name, split, wanted=WANTED, **how), f"data set {name}, split {split}") for split in of]
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
    return tuple(
        _with_slots(split, num_slots or _most(found), where) for split, where in zip(found, wheres, strict=True)
    )


def slotted(split: Split, where: str) -> Split:
    """The columns of slots, as many as the most objects that an example has, of lists of objects or of slots.

    Args:
      split: N examples with "objects", each `{"bbox": [n, 4], "label": [n]}`; or with the columns of slots, of which
        "seen" may be missing.
      where: what the split is called in a refusal.
    Raises:
      BadInput: naming the example whose boxes are none.
    """
    if "objects" in split.names:
        pictures = split.require("image").arrays["image"]
        objects = [_listed(each, where) for each in split.arrays["objects"]]
        of = getattr(split.feature("objects"), "feature", {})  # of each of a sequence
        feature = of["label"] if "label" in of else None
    else:
        more = ["seen"] if "seen" in split.names else []
        columns = split.require(*COLUMNS, *more).arrays
        pictures, objects = columns["image"], _of_slots(columns, where)
        feature = split.feature("label")
    for row, of in enumerate(objects):
        _require_boxes(of, f"{where}: example {row}")
    objects = _with_area(objects, where)
    feature = getattr(feature, "feature", feature)
    size = max(1, *(len(of.label) for of in objects))
    number = getattr(feature, "num_classes", None) or 1 + max(of.label.max(initial=0) for of in objects)
    classes = ClassNames(tuple(getattr(feature, "names", None) or map(str, range(number))))
    about = About(getattr(split.info, "name", where), {"label": classes}, getattr(split.info, "splits", ()))
    return Split({"image": pictures, **_filled(objects, size)}, about)


class _Listed(NamedTuple):
    """The n objects of an example."""

    box: np.ndarray  # [n, 4]
    label: np.ndarray  # [n]
    seen: np.ndarray  # [n]


def _listed(objects: Any, where: str) -> _Listed:
    """Those of TFDS's."""
    if not isinstance(objects, Mapping) or not {"bbox", "label"} <= {*objects}:
        told = ", ".join(objects) if isinstance(objects, Mapping) else type(objects).__name__
        raise BadInput(f"{where}: objects must have bbox and label, and have {told}")
    label = np.array(objects["label"], np.int32)
    return _Listed(np.array(objects["bbox"], np.float32).reshape(-1, 4), label, np.ones(len(label), np.float32))


def _of_slots(columns: Mapping[str, np.ndarray], where: str) -> list[_Listed]:
    """Those of the columns of slots."""
    box, label, present = (np.asarray(columns[name]) for name in COLUMNS[1:])
    if box.ndim != 3 or box.shape[2] != 4 or box.shape[:2] != label.shape or label.shape != present.shape:
        shapes = ", ".join(f"{name} {list(columns[name].shape)}" for name in COLUMNS[1:])
        raise BadInput(f"{where}: {shapes}; they must be box [N, S, 4], label [N, S] and present [N, S]")
    if box.dtype.kind not in "fiu" or label.dtype.kind not in "iu":
        raise BadInput(f"{where}: box is {box.dtype} and label {label.dtype}; they must be numbers and integers")
    if not np.isin(present, (0, 1)).all():
        raise BadInput(f"{where}: present must be 1 of an object and 0 of an empty slot, and has other numbers")
    seen = np.asarray(columns.get("seen", np.ones_like(present)))
    slots = (box.astype(np.float32), label.astype(np.int32), seen.astype(np.float32))
    return [_Listed(*(column[row, at] for column in slots)) for row, at in enumerate(present > 0)]


def _require_boxes(objects: _Listed, where: str) -> None:
    """Refuses what is no box within its picture, or no class."""
    box, label = objects.box, objects.label
    is_in = np.isfinite(box).all(1) & (box >= -BEYOND).all(1) & (box <= 1 + BEYOND).all(1)
    if not is_in.all():
        at = np.flatnonzero(~is_in)[0]
        shown = ", ".join(f"{value:g}" for value in box[at])
        pixels = ": divide pixels by these" if (box[at] > 2).any() else ""
        told = f"its box ({shown}) is not within its picture; (ymin, xmin, ymax, xmax) must be in [0, 1], relative to"
        raise BadInput(f"{where}, object {at}: {told} height and width{pixels}")
    if label.size and label.min() < 0:
        raise BadInput(f"{where}: it has an object of class {label.min()}; classes are 0, 1, ...")


def _with_area(objects: Sequence[_Listed], where: str) -> list[_Listed]:
    """Without boxes of no area, which nobody can find; the run says how many there were."""
    has_area = [(np.clip(of.box[:, 2:], 0, 1) > np.clip(of.box[:, :2], 0, 1)).all(1) for of in objects]
    without = [(row, int(at)) for row, has in enumerate(has_area) for at in np.flatnonzero(~has)]
    if without:
        (row, at), number = without[0], len(without)
        told = (
            f"{number} boxes of no area are left out, the first is" if number > 1 else "a box of no area is left out:"
        )
        remark = f"{where}: {told} object {at} of example {row}"
        sources.note(sources.Noted(f"{where} boxes", {}, (remark,)))
    return [_Listed(*(column[has] for column in of)) for of, has in zip(objects, has_area, strict=True)]


def _filled(objects: Sequence[_Listed], size: int) -> dict[str, np.ndarray]:
    room = len(objects), size
    slots = {"box": np.zeros((*room, 4), np.float32), "label": np.zeros(room, np.int32)}
    slots |= {name: np.zeros(room, np.float32) for name in ("seen", "present")}
    for row, of in enumerate(objects):
        number = len(of.label)
        slots["box"][row, :number], slots["label"][row, :number] = np.clip(of.box, 0, 1), of.label
        slots["seen"][row, :number], slots["present"][row, :number] = of.seen, 1
    return slots


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
    for name in SLOTS:
        column = split.arrays[name][:, :size]
        columns[name] = np.pad(column, [(0, 0), (0, size - column.shape[1]), *[(0, 0)] * (column.ndim - 2)])
    return Split(columns, split.info)
