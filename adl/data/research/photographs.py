"""Research sets of photographs: colour pictures in JPEG files."""

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.research.builder import Examples, ResearchSet, by_sum, raw_tensor
from adl.data.research.formats import jpeg, mat, picture_file


class CatsDogs64(ResearchSet):
    """Photographs of cats and dogs at 64x64: 3,200 to train, 800 to test.

    Made of those of Kaggle's `cat.N.jpg` and `dog.N.jpg` with N in 1 ... 1000 and 4001 ... 5000: the middle square is
    scaled to 64x64 by Pillow's Lanczos filter and kept as JPEG of quality 95. Of each class every fifth of the names,
    sorted by the SHA-256 of `cats_dogs_64:NAME`, is test. The bytes depend on the JPEG library, and the sums of the
    4,000 files are not known: names and labels are checked, pixels are not. Source: Elson, Douceur, Howell & Saul
    2007, Asirra, as Kaggle's Dogs vs. Cats. Licence: none stated (Kaggle's competition terms).
    """

    name = "cats_dogs_64"
    use = "photographs of cats and dogs, 64x64 colour, 2 classes"
    files = ("cat.N.jpg and dog.N.jpg, N = 1 ... 1000 and 4001 ... 5000",)
    source = "Kaggle, Dogs vs. Cats (train.zip), as in github.com/chanakya2734/Image-classification-using-CNN"
    licence = "none stated (Kaggle's competition terms)"
    protocol = "Of each class every fifth of the names by their sum is test"
    known = {
        "train": (3200, "69dc01cb6b943a6715896e54576e40bee8a3f7234f68b820270ee676fa13fa52"),
        "test": (800, "f0fdf2200f504b9fb2a1ad60bc53198c556f27eb16a399cfd2a494560b541cf3"),
    }
    unchecked = ("image",)
    numbers = (*range(1, 1001), *range(4001, 5001))

    def columns(self) -> dict[str, Any]:
        """Colour pictures, their names, and the animal."""
        return {
            "image": tfds.features.Image(shape=(64, 64, 3), encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }

    def examples(self) -> Mapping[str, Examples]:
        """By name."""
        found: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
        for animal in ("cat", "dog"):
            names = by_sum(self.name, [f"{animal}.{number}.jpg" for number in self.numbers])
            for rank, name in enumerate(names):
                found["test" if rank % 5 == 4 else "train"].append((name, animal))
        return {split: self._pictures(names) for split, names in found.items()}

    def _pictures(self, names: list[tuple[str, str]]) -> Examples:
        for name, animal in names:
            yield name, {"image": self.raw.read(name, _thumbnail), "image/filename": name, "label": animal}


def _thumbnail(data: bytes) -> bytes:
    """The middle square of a photograph at 64x64, as a JPEG file."""
    from PIL import Image  # OpenCV's Lanczos filter does not smooth where it shrinks

    with picture_file(data, "JPEG") as photo:
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        square = photo.convert("RGB").crop((left, top, left + side, top + side))
    made = io.BytesIO()
    square.resize((64, 64), Image.Resampling.LANCZOS).save(made, "JPEG", quality=95)
    return made.getvalue()


class Bccd(ResearchSet):
    """Blood cells under a microscope, 640x480, with boxes: 205 to train, 87 to validate, 72 to test.

    Raw files: `BCCD_Dataset-1.0.zip` (7,875,205 bytes), or its folder `BCCD` with `ImageSets/Main/*.txt`,
    `Annotations/*.xml` and `JPEGImages/*.jpg`. Box [ymin, xmin, ymax, xmax] as parts of height and width, at most 1;
    the file names keep the line feed of the lists, as in TFDS's own builder, whose columns these are. Source:
    github.com/Shenggan/BCCD_Dataset. Licence: MIT.
    """

    use = "blood cells, 640x480 colour, boxes of 3 classes"
    files = ("BCCD_Dataset-1.0.zip",)
    source = "github.com/Shenggan/BCCD_Dataset, archive v1.0"
    licence = "MIT"
    known = {
        "train": (205, "4658471a6d34e7d2d7870ce7a52871d3927ad4dd7229939883bd59f287c022b0"),
        "validation": (87, "0ea085cd7cad96015a0e2b59c0b2d3e9e113ac554e561387d6de68eea78d621d"),
        "test": (72, "33c0799933f0aa7ac87e535a55f1b8d6c80ac3d264617da2554e306939988f67"),
    }
    sums = {"BCCD_Dataset-1.0.zip": "97af5cc16d14d293fcb3c82a8f66e49b0339a8d0abd8e9508e0feeb4911caa1f"}

    def columns(self) -> dict[str, Any]:
        """Colour pictures, their names, and the cells in them."""
        cell = {
            "label": tfds.features.ClassLabel(names=["RBC", "WBC", "Platelets"]),
            "bbox": tfds.features.BBoxFeature(),
        }
        return {
            "image": tfds.features.Image(shape=(480, 640, 3), encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(cell),
        }

    def examples(self) -> Mapping[str, Examples]:
        """By line of the lists."""
        lists = {"train": "train", "validation": "val", "test": "test"}
        read = self.raw.read
        names = {split: read(f"BCCD/ImageSets/Main/{file}.txt", bytes.decode) for split, file in lists.items()}
        return {split: map(self._picture, re.findall(r".+\n?", lines)) for split, lines in names.items()}

    def _picture(self, line: str) -> tuple[str, dict[str, Any]]:
        stem = line.strip()
        objects = self.raw.read(f"BCCD/Annotations/{stem}.xml", _cells)
        photo = self.raw.read(f"BCCD/JPEGImages/{stem}.jpg", jpeg(480, 640))
        return line, {"image": photo, "image/filename": line, "objects": objects}


def _cells(data: bytes) -> list[dict[str, Any]]:
    """Labels and boxes of a VOC annotation."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError("it declares entities, as no annotation does")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from None
    height, width = (float(root.findtext(f"size/{side}", "nan")) for side in ("height", "width"))
    return [
        {"label": cell.findtext("name", "").strip(), "bbox": _box(cell, height, width)} for cell in root.iter("object")
    ]


def _box(cell: ElementTree.Element, height: float, width: float) -> tfds.features.BBox:
    def part(side: str, whole: float) -> float:
        return min(float(cell.findtext(f"bndbox/{side}", "nan")) / whole, 1.0)

    box = tfds.features.BBox(part("ymin", height), part("xmin", width), part("ymax", height), part("xmax", width))
    if not (0 <= box.ymin <= box.ymax <= 1 and 0 <= box.xmin <= box.xmax <= 1):
        raise ValueError(f"it has no box within the picture, but {[*box]}")
    return box


class Lsp400(ResearchSet):
    """Photographs of people at sport, of many sizes, with 14 joints: 320 to train, 80 to test.

    The first 400 of the extended Leeds Sports Poses: `im00001.jpg` to `im00320.jpg` are train, the rest test. Where
    `visible` is false, the coordinates (pixels) mean nothing. Raw files: `images/im00001.jpg` to `im00400.jpg`, and
    `joints.mat`, variable `joints` `[14, 3, N]`; no SHA-256 is known for certain. Source: Johnson & Everingham 2011,
    CVPR. Licence: none stated; academic use.
    """

    name = "lsp_400"
    use = "photographs of people at sport, of many sizes, with 14 joints"
    files = ("images/im00001.jpg ... im00400.jpg", "joints.mat")
    source = "Johnson & Everingham's extended Leeds Sports Poses, as in github.com/MiraiLouis/lsp_cpm"
    licence = "none stated (academic use)"
    protocol = "The first 320 train, the next 80 test"
    known = {
        "train": (320, "82b030bb0bea36b7831b965b297531a37aba6db1d892aa946e894b3f0d4c990f"),
        "test": (80, "6bb16741d4ce41d01ac0fbd21ec0dc855b29c5a24c81b46c74a672b62bd9997d"),
    }
    metadata = {
        "joint_names": [
            *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist"),
            *("right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
        ]
    }
    parts = {"train": range(1, 321), "test": range(321, 401)}

    def columns(self) -> dict[str, Any]:
        """Colour pictures, their names, and (x, y) of the joints."""
        return {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "joints": raw_tensor((14, 2), np.float32),
            "visible": tfds.features.Tensor(shape=(14,), dtype=np.bool_),
        }

    def examples(self) -> Mapping[str, Examples]:
        """By number."""
        last = max(map(max, self.parts.values()))
        joints = self.raw.read("joints.mat", lambda data: _joints(mat(data, "joints")[0], last))
        return {split: self._pictures(numbers, joints) for split, numbers in self.parts.items()}

    def _pictures(self, numbers: range, joints: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in numbers:
            name, (x, y, visible) = f"im{number:05d}.jpg", joints[:, :, number - 1].T
            photo = self.raw.read(f"images/{name}", jpeg())
            place = np.stack([x, y], 1).astype(np.float32)
            yield number, {"image": photo, "image/filename": name, "joints": place, "visible": visible > 0}


def _joints(found: np.ndarray, num: int) -> np.ndarray:
    if found.ndim != 3 or found.shape[:2] != (14, 3) or found.shape[2] < num:
        raise ValueError(f"its joints are {list(found.shape)}: they must be [14, 3, N], N at least {num}")
    return found
