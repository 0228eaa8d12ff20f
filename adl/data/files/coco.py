"""What a file of COCO's annotations says: the objects of each picture, all of whose entries are as they must be.

Crowds and boxes of no area are left out, and told. Source: Lin et al. 2014, arXiv:1405.0312; cocodataset.org, "Data
format".
"""

import json
import posixpath
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.files.found import counted_classes
from adl.data.files.layout import how_many
from adl.data.files.listing import CONTROL, File, Files, is_utf8
from adl.data.files.pictures import ENDINGS
from adl.data.picture import Header

LISTS = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}
BEYOND = 1e-3  # of a side, by which a box may reach out of its picture, by rounding: it is cut there
ABSURD = 1e9  # pixels; no box or side has as many
LONGEST = 255  # characters of an id, or of what a category is called
SHOWN = reprlib.Repr()  # of what stands in a file: escaped, its beginning and end if it is long
SHOWN.maxstring, SHOWN.maxlong = 60, 40


class Thing(NamedTuple):
    """An object of a picture."""

    box: tuple[float, float, float, float]  # x, y, width, height in pixels
    category: int  # its id
    which: str  # what it is called in a refusal


class Read(NamedTuple):
    """What a file of annotations says."""

    where: str  # the file, in words
    things: Mapping[str, Sequence[Thing]]  # by the picture's name in the listing
    sizes: Mapping[str, tuple[int | None, int | None]]  # height and width that are said of it
    categories: Mapping[int, str]  # by their ids
    remarks: tuple[str, ...]


def annotations_of(listing: Files, file: File) -> Read:
    """What a file says.

    Raises:
      BadInput: naming the entry that is not as COCO's, or the picture that is not there.
    """
    where = f"{listing.where}: {file.name}"
    lists = _lists(listing.read(file), where)
    categories = {}
    for entry in lists["categories"]:
        _require_id(entry["id"], (int,), f"{where}: a category's id")
        _require_word(entry["name"], f"{where}: the name of category {entry['id']}")
        if entry["id"] in categories or entry["name"] in categories.values():
            raise BadInput(f"{where}: two categories have the id {entry['id']}, or are called {entry['name']}")
        categories[entry["id"]] = entry["name"]
    names, sizes = _pictures(listing, file, lists["images"], where)
    things, remarks = _things(lists["annotations"], names, categories, where)
    return Read(where, things, sizes, dict(sorted(categories.items())), remarks)


def _lists(content: bytes, where: str) -> dict[str, list[dict[str, Any]]]:
    """The lists of images, annotations and categories, whose entries have what they must."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        told = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise BadInput(f"{where} is no JSON ({told})") from None
    if not isinstance(found, dict) or not {*LISTS} <= {*found}:
        told = f"has {counted_classes(_keys(found)) or 'nothing'}" if isinstance(found, dict) else "is no object"
        raise BadInput(f"{where} {told}; COCO's has images, annotations and categories")
    for name, keys in LISTS.items():
        entries = found[name]
        if not isinstance(entries, list):
            raise BadInput(f"{where}: {name} must be a list")
        for at, entry in enumerate(entries):
            lacking = [key for key in keys if not isinstance(entry, dict) or entry.get(key) is None]
            if lacking:
                has = _keys(entry) if isinstance(entry, dict) else []
                raise BadInput(f"{where}: {name}[{at}] has no {lacking[0]}{did_you_mean(lacking[0], has)}")
    if not found["images"]:
        raise BadInput(f"{where}: images is empty; there is no picture to read")
    if not found["categories"]:
        raise BadInput(f"{where}: categories is empty; there is no class of objects")
    return found


def _pictures(
    listing: Files, file: File, images: Sequence[Mapping[str, Any]], where: str
) -> tuple[dict[Any, str], dict[str, tuple[int | None, int | None]]]:
    """The name in the listing of each picture by its id, and the height and width that are said of each."""
    known, names, sizes = {one.name for one in listing.files}, {}, {}
    for entry in images:
        _require_id(entry["id"], (int, str), f"{where}: a picture's id")
        if entry["id"] in names:
            raise BadInput(f"{where}: two pictures have the id {entry['id']}")
        name = _placed(file.name, entry["file_name"], known, where)
        if name in sizes:
            raise BadInput(f"{where}: {entry['file_name']} is there twice among images")
        size = tuple(entry.get(side) for side in ("height", "width"))
        if any(side is not None and (type(side) not in (int, float) or not 1 <= side < ABSURD) for side in size):
            told = "x".join(map(SHOWN.repr, size))
            raise BadInput(f"{where}: {entry['file_name']} is {told} (height x width), which is no size")
        names[entry["id"]], sizes[name] = name, size
    return names, sizes


def _placed(annotations: str, name: Any, known: set[str], where: str) -> str:
    """Where a picture is: beside its annotations, in images/, or in the folder of COCO's split."""
    _require_word(name, f"{where}: file_name", 4096)  # as long as a path may be
    folder, file = posixpath.split(annotations)
    root = "" if folder == "annotations" else folder
    split = re.match(r"instances_(\w+)\.json", file)
    folders = ["", "images", *((split[1], f"images/{split[1]}") if split else ())]
    places = {posixpath.normpath(posixpath.join(root, inner, name)) for inner in folders} & known
    if not places:
        looked = ", ".join(posixpath.join(root, inner) or "." for inner in folders)
        raise BadInput(f"{where}: picture {name} is not there; looked for in {looked}")
    if len(places) > 1:
        raise BadInput(f"{where}: picture {name} is there twice, as {' and '.join(sorted(places))}; remove one")
    (place,) = places
    if posixpath.splitext(place)[1].lower() not in ENDINGS:
        raise BadInput(f"{where}: picture {name} is of a kind that is not read; those read: {' '.join(ENDINGS)}")
    return place


def _things(
    annotations: Sequence[Mapping[str, Any]], names: Mapping[Any, str], categories: Mapping[int, str], where: str
) -> tuple[dict[str, list[Thing]], tuple[str, ...]]:
    """The objects of each picture, and what was left out."""
    things: dict[str, list[Thing]] = {name: [] for name in names.values()}
    seen, crowds, flat = set(), [], []
    for at, entry in enumerate(annotations):
        which = f"annotation {entry['id']}" if entry.get("id") is not None else f"annotations[{at}]"
        if entry.get("id") is not None:
            _require_id(entry["id"], (int, str), f"{where}: an annotation's id")
            if entry["id"] in seen:
                raise BadInput(f"{where}: two annotations have the id {entry['id']}")
            seen.add(entry["id"])
        image, category, crowd = entry["image_id"], entry["category_id"], entry.get("iscrowd", 0)
        if type(image) not in (int, str) or image not in names:
            raise BadInput(f"{where}: {which} is of picture {SHOWN.repr(image)}, and images has none of this id")
        which = f"{which} of {names[image]}"
        if type(category) is not int or category not in categories:
            known = counted_classes([f"{key} {name}" for key, name in sorted(categories.items())])
            raise BadInput(f"{where}: {which} is of category {SHOWN.repr(category)}; there are {known}")
        if crowd not in (0, 1):
            raise BadInput(f"{where}: {which} has iscrowd {SHOWN.repr(crowd)}; it must be 0, or 1 of a crowd")
        box = _numbers(entry["bbox"], f"{where}: {which}")
        if crowd or not all(box[2:]):
            (crowds if crowd else flat).append(which)
        else:
            things[names[image]].append(Thing(box, category, which))
    told = {"of crowds (iscrowd 1)": crowds, "of no area": flat}
    remarks = (
        f"{where}: left out: {how_many(len(of), 'annotations')} {what}, as {of[0]}" for what, of in told.items() if of
    )
    return things, tuple(remarks)


def _numbers(box: Any, where: str) -> tuple[float, ...]:
    """Four numbers of a box, the last two of which are not negative."""
    is_box = isinstance(box, list) and len(box) == 4
    if not is_box or not all(type(of) in (int, float) and -ABSURD < of < ABSURD for of in box):
        raise BadInput(f"{where} has bbox {SHOWN.repr(box)}; it must be [x, y, width, height], in pixels")
    if min(box[2:]) < 0:
        raise BadInput(f"{where} has a box of width {box[2]:g} and height {box[3]:g}: it is [x, y, width, height]")
    return tuple(map(float, box))


def objects_of(
    things: Sequence[Thing], head: Header, read: Read, name: str, places: Mapping[int, int]
) -> dict[str, np.ndarray]:
    """TFDS's objects, `{"bbox": [n, 4], "label": [n]}`, of a picture.

    Args:
      things: n of them.
      head: the picture's size.
      read: what its file of annotations says.
      name: of the picture.
      places: of the categories among the classes, by their ids.
    Raises:
      BadInput: if the picture is of another size than is said, or a box is not within.
    """
    told = f"{head.height}x{head.width} (height x width)"
    said = [side is None or side == own for side, own in zip(read.sizes[name], head[:2], strict=True)]
    if not all(said):
        size = "x".join(f"{side}" for side in read.sizes[name])
        raise BadInput(f"{read.where}: {name} is {size} there, and in its file {told}: boxes would be elsewhere")
    for thing in things:
        x, y, width, height = thing.box
        most = (1 + BEYOND) * head.width, (1 + BEYOND) * head.height
        least = -BEYOND * head.width, -BEYOND * head.height
        if x < least[0] or y < least[1] or x + width > most[0] or y + height > most[1]:
            shown = ", ".join(f"{value:g}" for value in thing.box)
            raise BadInput(
                f"{read.where}: {thing.which} has the box [{shown}], which is not within its picture, {told}"
            )
    box = np.array([of.box for of in things], np.float64).reshape(-1, 4)
    ends = np.stack([box[:, 1], box[:, 0], box[:, 1] + box[:, 3], box[:, 0] + box[:, 2]], 1)
    sides = np.array([head.height, head.width] * 2)
    label = np.array([places[of.category] for of in things], np.int32)
    return {"bbox": (ends / sides).clip(0, 1).astype(np.float32), "label": label}


def _keys(entry: Mapping[str, Any]) -> list[str]:
    """The names of an entry's fields, as they can be told."""
    return [SHOWN.repr(name)[1:-1] for name in entry]


def _require_id(value: Any, kinds: tuple[type, ...], what: str) -> None:
    if type(value) not in kinds:
        wanted = "a whole number" if kinds == (int,) else "a whole number or a word"
        raise BadInput(f"{what} is {SHOWN.repr(value)}; it must be {wanted}")
    _require_word(str(value), what)


def _require_word(value: Any, what: str, longest: int = LONGEST) -> None:
    """Refuses what would not stand in one line as it is: such words come into refusals and figures."""
    is_word = isinstance(value, str) and value.strip() and len(value) <= longest
    if not is_word or CONTROL.search(value) or value.splitlines() != [value] or not is_utf8(value):
        raise BadInput(f"{what} is {SHOWN.repr(value)}; it must be a word of one line, of at most {longest} characters")
