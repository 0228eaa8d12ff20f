"""Folders of pictures with masks: paired by name, and the first that does not fit is named."""

import shutil

import numpy as np
import pytest
from PIL import Image

from adl import data
from adl.core import BadInput
from adl.data.segments import masked_splits
from adl.run.depicted import palette

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)
MASK = RNG.integers(0, 3, (20, 6, 5), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    for row, (image, mask) in enumerate(zip(IMAGE, MASK, strict=True)):
        Image.fromarray(image).save(tmp_path / "own" / "images" / f"p{row:02}.bmp")
        picture = Image.fromarray(mask)
        if row % 2:
            picture.putpalette(palette(3).reshape(-1).tolist())
        picture.save(tmp_path / "own" / "masks" / f"p{row:02}.png")
    return tmp_path / "own"


def test_pictures_and_masks_are_paired_by_name(folder):
    train, test, found = masked_splits(str(folder))
    assert found.names == ("0", "1", "2") and len(train) + len(test) == 20 and len(test)
    for split in (train, test):
        for image, mask in zip(split.column("image"), split.column("segment"), strict=True):
            (row,) = [row for row in range(20) if np.array_equal(IMAGE[row], image)]
            np.testing.assert_array_equal(mask, MASK[row])


def test_splits_are_folders_where_they_are(folder, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(folder, tmp_path / "parts" / part)
    (tmp_path / "parts" / "test" / "images" / "p00.bmp").unlink()
    (tmp_path / "parts" / "test" / "masks" / "p00.png").unlink()
    train, test, _ = masked_splits(str(tmp_path / "parts"))
    assert (len(train), len(test)) == (20, 19)


def lacking(folder):
    (folder / "masks" / "p03.png").unlink()
    return "images/p03.bmp has no mask; masks/p03.png would be it"


def lonely(folder):
    (folder / "images" / "p03.bmp").unlink()
    return "masks/p03.png is a mask without a picture"


def twice(folder):
    shutil.copy(folder / "images" / "p03.bmp", folder / "images" / "p03.png")
    return "two pictures are called as images/p03"


def larger(folder):
    Image.fromarray(np.kron(MASK[3], np.ones((2, 2), np.uint8))).save(folder / "masks" / "p03.png")
    return "masks/p03.png is 12x10 and its picture 6x5"


def coloured(folder):
    Image.fromarray(IMAGE[3]).save(folder / "masks" / "p03.png")
    return r"masks/p03.png is RGB \[6, 5, 3\]; a mask has 8 bits a pixel"


def deep(folder):
    Image.fromarray(MASK[3].astype(np.uint16)).save(folder / "masks" / "p03.png")
    return "masks/p03.png is I;16"


def damaged(folder):
    (folder / "masks" / "p03.png").write_bytes((folder / "masks" / "p03.png").read_bytes()[:-30])
    return "masks/p03.png is damaged"


def lossy(folder):
    Image.open(folder / "masks" / "p03.png").convert("L").save(folder / "masks" / "p03.jpg")
    (folder / "masks" / "p03.png").unlink()
    return "masks/p03.jpg is lossy"


@pytest.mark.parametrize("harm", [lacking, lonely, twice, larger, coloured, deep, damaged, lossy])
def test_what_does_not_fit_is_named(folder, harm):
    said = harm(folder)
    with pytest.raises(BadInput, match=said):
        masked_splits(str(folder))


def test_other_folders_of_these_names_are_classes(folder):
    shutil.copytree(folder / "images", folder / "cats")
    assert set(data.load(str(folder), "train", picture_colour="rgb").names) == {"image", "label"}
