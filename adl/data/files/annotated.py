"""Pictures with boxes as COCO has them: annotations.json beside pictures, or annotations/instances_*.json.

photos/annotations.json, photos/*.jpg or photos/images/*        one file: the test part is drawn
photos/train/annotations.json, photos/train/*, photos/test/...  a file of each split
coco/annotations/instances_train2017.json, coco/train2017/*     the same, as COCO is published

A picture gives "image" `[H, W, C]`, and "objects" as TFDS's sets have them: "bbox" `[n, 4]` (ymin, xmin, ymax, xmax)
relative to height and width, and "label" `[n]`, the places of their categories in the order of their ids.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.files.coco import Read, annotations_of, objects_of
from adl.data.files.found import About, Asked, ClassNames, Found, counted_classes
from adl.data.files.layout import SPLITS, arranged, how_many, twins
from adl.data.files.listing import File, Files
from adl.data.files.pictures import ENDINGS, alike, decoded_of
from adl.data.split import StoredSplit

NAMED = re.compile(r"(_?annotations(\.coco)?|instances_\w+)\.json")
CROP = "--picture_fit crop: boxes would no longer lie around their objects; resize keeps them there"


class EachOf(NamedTuple):
    """A column of lists, as TFDS's `Sequence` has them."""

    feature: Mapping[str, Any]  # of each of a list


def annotation_files(listing: Files) -> list[File]:
    """The files of annotations: in the folder itself, or in one within."""
    return [file for file in listing.files if len(file.parts) <= 2 and NAMED.fullmatch(file.parts[-1])]


def annotated_folder(listing: Files, reading: Asked) -> Found:
    """A folder of pictures with COCO's annotations: "image" and "objects".

    Raises:
      BadInput: naming the file and the entry that is not as COCO's, or the picture that is not there.
    """
    where = listing.where
    if reading.picture_fit == "crop":
        raise BadInput(CROP)
    found = {file.name: annotations_of(listing, file) for file in annotation_files(listing)}
    _require_same_categories(found, where)
    things = {name: of for read in found.values() for name, of in read.things.items()}
    if len(things) < sum(len(read.things) for read in found.values()):
        name, _ = Counter(name for read in found.values() for name in read.things).most_common(1)[0]
        raise BadInput(f"{where}: {name} is in {' and in '.join(f for f, of in found.items() if name in of.things)}")
    pictures = _with_their_folders(listing, [file for file in listing.files if file.name in things])
    parts, is_drawn = _parts(listing, pictures, found, reading)
    shape, heads = alike(pictures, reading)
    categories = next(iter(found.values())).categories
    places = {category: place for place, category in enumerate(categories)}
    objects = {
        name: objects_of(of, heads[name], read, name, places)
        for read in found.values()
        for name, of in read.things.items()
    }
    names = tuple(categories.values())
    about = About(where, {"objects": EachOf({"label": ClassNames(names)})}, tuple(parts))
    splits = {
        split: StoredSplit(StoredBoxed(pictures, of, objects, shape, reading.picture_fit), about)
        for split, of in parts.items()
    }
    sizes = ", ".join(f"{len(of)} to {split}" for split, of in parts.items())
    number = sum(len(of) for of in things.values())
    told = f"{where}: pictures [{', '.join(map(str, shape))}] with {how_many(number, 'objects')} of "
    told += f"{len(names)} classes ({counted_classes(names)}); {sizes}"
    told += "; test drawn by a hash of the names" if is_drawn else ""
    remarks = [told, *(remark for read in found.values() for remark in read.remarks)]
    if double := twins(pictures, parts):
        remarks.append(f"{where}: {double}")
    others = [file for file in listing.files if file.ending in ENDINGS and file.name not in things]
    if others:
        without = f"pictures that no annotations name are left out, as {others[0].name}"
        remarks.append(f"{where}: {len(others)} {without}")
    return Found(splits, about, tuple(remarks), is_drawn, is_fitted=True)


class StoredBoxed:
    """A source of `{"image": uint8 [H, W, C], "objects": {"bbox": [n, 4], "label": [n]}}`, decoded as it is taken."""

    def __init__(
        self, listing: Files, files: Sequence[File], objects: Mapping[str, Any], shape: Sequence[int], fit: str
    ):
        self.listing, self.files, self.objects, self.shape, self.fit = listing, files, objects, tuple(shape), fit

    def __len__(self) -> int:
        return len(self.files)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        files = [self.files[row] for row in rows]
        return [
            {"image": decoded_of(self.listing, file, self.shape, self.fit), "objects": self.objects[file.name]}
            for file in files
        ]

    @property
    def num_bytes(self) -> int:
        """Of all pictures, decoded."""
        return len(self.files) * int(np.prod(self.shape))


def _with_their_folders(listing: Files, files: Sequence[File]) -> Files:
    """The listing of some files, and of the folders that they lie in."""
    folders = {"/".join(file.parts[:depth]) for file in files for depth in range(1, len(file.parts))}
    return listing.only(files)._replace(folders=tuple(sorted(folders)))


def _parts(
    listing: Files, pictures: Files, found: Mapping[str, Read], reading: Asked
) -> tuple[dict[str, list[File]], bool]:
    """The pictures of each split: of each file of annotations, or of one alone by their folders or a hash."""
    if len(found) == 1:
        parts = arranged(pictures, reading.test_share, "pictures", of_classes=False)
        return {split: list(files) for split, files in parts.files.items()}, parts.is_hashed
    files: dict[str, list[File]] = {}
    for name, read in found.items():
        split = _split_of(name)
        if split is None:
            raise BadInput(f"{listing.where}: of which split is {name}? train/annotations.json would say it")
        if split in files:
            raise BadInput(f"{listing.where}: {counted_classes([*found])}: two of them are of {split}")
        files[split] = [file for file in pictures.files if file.name in read.things]
    if "train" not in files:
        raise BadInput(f"{listing.where}: {counted_classes([*found])}: none of them is of train")
    return {split: files[split] for split in ("train", "validation", "test") if split in files}, False


def _split_of(name: str) -> str | None:
    """The split that a file of annotations is about, by its folder or its own name; None: neither says it."""
    folder, file = posixpath.split(name)
    own = re.match(r"instances_([a-z]+)", file.lower())
    return SPLITS.get(folder.lower()) or SPLITS.get(own[1] if own else "")


def _require_same_categories(found: Mapping[str, Read], where: str) -> None:
    (first, one), *others = found.items()
    for name, other in others:
        if differing := [
            key for key in {**one.categories, **other.categories} if _named(one, key) != _named(other, key)
        ]:
            key = differing[0]
            told = f"category {key} is {_named(one, key)} in {first}, and {_named(other, key)} in {name}"
            raise BadInput(f"{where}: {told}; they must be the same")


def _named(read: Read, category: int) -> str:
    return read.categories.get(category, "none")
