"""Pictures and their masks in two folders, paired by name: images/a.jpg with masks/a.png.

A mask is a PNG, BMP, GIF or TIFF of one channel, or with a palette, whose numbers are the classes; what is lossy or in
colours is refused.
"""

import io
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from adl.core import BadInput, first_line
from adl.data.files.found import About, Asked, Found
from adl.data.files.layout import SPLITS, arranged
from adl.data.files.listing import File, Files
from adl.data.files.pictures import ENDINGS, alike, decoded_of
from adl.data.picture import undecoded
from adl.data.split import StoredSplit

IMAGES, MASKS = "images", "masks"
EXACT = (".png", ".bmp", ".gif", ".tif", ".tiff")  # what keeps each pixel's number


def is_paired(listing: Files) -> bool:
    """Whether a folder has images/ and masks/ and nothing else, or each of its splits has."""
    tops = {folder.split("/")[0] for folder in listing.folders}
    if tops == {IMAGES, MASKS}:
        return True
    inner = {"/".join(folder.split("/")[:2]) for folder in listing.folders if "/" in folder}
    wanted = {f"{top}/{kind}" for top in tops for kind in (IMAGES, MASKS)}
    return bool(tops) and all(top.lower() in SPLITS for top in tops) and inner == wanted


def pair_folder(listing: Files, reading: Asked) -> Found:
    """A folder of pictures with masks: "image" and "segment".

    Raises:
      BadInput: naming the picture that has no mask, the mask that has no picture, or what is unlike the others.
    """
    where = listing.where
    files = [file for file in listing.files if file.ending in ENDINGS]
    images = [file for file in files if _kind(file) == IMAGES]
    masks = {_key(file): file for file in files if _kind(file) == MASKS}
    keys = [_key(file) for file in images]
    for at, (file, key) in enumerate(zip(images, keys, strict=True)):
        if key not in masks:
            raise BadInput(f"{where}: {file.name} has no mask; {key.replace('*', MASKS)}.png would be it")
        if key in keys[:at]:
            raise BadInput(f"{where}: two pictures are called as {file.name}, whatever their endings")
    if extra := sorted({*masks} - {*keys}):
        raise BadInput(f"{where}: {masks[extra[0]].name} is a mask without a picture in {IMAGES}/")
    if lossy := [file for file in masks.values() if file.ending not in EXACT]:
        raise BadInput(f"{where}: {lossy[0].name} is lossy, and a mask's numbers are classes; save it as PNG")
    if reading.picture_size:
        raise BadInput(f"--picture_size {reading.picture_size}: masks are not brought to another size; leave it out")
    pictures = listing.only(images)
    parts = arranged(pictures, reading.test_share, "pictures", of_classes=False)
    shape, _ = alike(pictures, reading)
    about = About(where, {}, tuple(parts.files))
    splits = {
        split: StoredSplit(StoredPairs(listing, of, [masks[_key(file)] for file in of], shape), about)
        for split, of in parts.files.items()
    }
    sizes = ", ".join(f"{len(of)} to {split}" for split, of in parts.files.items())
    told = f"{where}: pictures [{', '.join(map(str, shape))}] with masks; {sizes}"
    told += "; test drawn by a hash of the names" if parts.is_hashed else ""
    return Found(splits, about, (told,), parts.is_hashed, is_fitted=True)


class StoredPairs:
    """A source of `{"image": uint8 [H, W, C], "segment": uint8 [H, W]}`, decoded as they are taken."""

    def __init__(self, listing: Files, files: Sequence[File], masks: Sequence[File], shape: Sequence[int]):
        self.listing, self.files, self.masks, self.shape = listing, files, masks, tuple(shape)

    def __len__(self) -> int:
        return len(self.files)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {
                "image": decoded_of(self.listing, self.files[row], self.shape, "refuse"),
                "segment": mask_of(self.listing, self.masks[row], self.shape[:2]),
            }
            for row in rows
        ]

    @property
    def num_bytes(self) -> int:
        """Of all pictures and masks, decoded."""
        return len(self.files) * (int(np.prod(self.shape)) + self.shape[0] * self.shape[1])


def mask_of(listing: Files, file: File, size: Sequence[int]) -> np.ndarray:
    """uint8 `[H, W]` of a file's mask: its numbers, or of a palette its places.

    Raises:
      BadInput: naming the file, if it is damaged, of several channels, or of another size than its picture.
    """
    where = f"{listing.where}: {file.name}"
    try:
        picture = undecoded(io.BytesIO(listing.read(file)))
        mask = np.array(picture)
    except ValueError as error:
        raise BadInput(f"{where} {error}") from error
    except Exception as error:  # Pillow's decoders, each its own
        raise BadInput(f"{where} is damaged ({first_line(error)})") from error
    if mask.ndim == 3 and mask.dtype == np.uint8 and (mask[..., :1] == mask[..., :3]).all() and mask.shape[2] == 3:
        mask = mask[..., 0]  # grey, written in three channels
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.bool_):
        raise BadInput(f"{where} is {picture.mode} {list(mask.shape)}; a mask has 8 bits a pixel, its class")
    if mask.shape != tuple(size):
        told = f"{mask.shape[0]}x{mask.shape[1]} and its picture {size[0]}x{size[1]} (height x width)"
        raise BadInput(f"{where} is {told}; they must be of one size")
    return mask.astype(np.uint8)


def _kind(file: File) -> str:
    """The folder that says what a file is."""
    return next((part for part in file.parts[:2] if part in (IMAGES, MASKS)), "")


def _key(file: File) -> str:
    """What a picture and its mask share: the path without its kind and ending."""
    stem = str(PurePosixPath(file.name).with_suffix(""))
    return "/".join("*" if part == _kind(file) else part for part in stem.split("/"))
