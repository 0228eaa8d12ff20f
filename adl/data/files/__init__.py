"""Data of one's own: a path is a data set, of what its files are.

photos/annotations.json (COCO's), photos/*.png              image [H, W, C], objects
photos/images/*, photos/masks/*.png                         image [H, W, C], segment [H, W]
photos/CLASS/*.png, photos/train/CLASS/*, photos/*.png     image [H, W, C], label
mnist.npz (x_train, y_train, ...), points.npy              the arrays' names; of .npy "x"
prices.csv, .tsv, .parquet                                 the names in its first line
notes.txt, notes/*                                         text, name
words/CLASS/*.wav                                          audio int16 [T], rate, label
"""

import functools
import os
import re

from adl.core import BadInput, local_path
from adl.data.files.annotated import annotated_folder, annotation_files
from adl.data.files.found import TEST_SHARE, Asked, Found
from adl.data.files.listing import CONTROL, Files, endings, listed
from adl.data.files.pairs import is_paired, pair_folder
from adl.data.files.passages import BINARY, text_file, text_folder
from adl.data.files.pictures import ENDINGS as PICTURES
from adl.data.files.pictures import OTHERS, picture_folder
from adl.data.files.rows import array_file
from adl.data.files.sheets import table_file
from adl.data.files.sounds import sound_folder

ARRAYS, TABLES = (".npz", ".npy"), (".csv", ".tsv", ".parquet")
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill")
READ = "folders of pictures, of .wav or of texts, .npz, .npy, .csv, .tsv, .parquet and texts"


def is_path(name: str) -> bool:
    """Whether a name is that of a file or folder: it begins with /, ./, ../ or ~, or is an address."""
    return name in (".", "..") or re.match(r"/|\./|\.\./|~|\w[\w+.-]*://", name) is not None


def listing_of(name: str) -> Files:
    """The files that a path stands for.

    Raises:
      BadInput: if it is an address, not there, or holds what is no file.
    """
    if CONTROL.search(name):
        raise BadInput(f"{name!a} has what is no letter; rename it")
    root = local_path(name, "--dataset", under="./bucket")
    return listed(root.absolute(), name)


@functools.lru_cache(maxsize=8)
def found_in(listing: Files, reading: Asked, noun: str, limit: int) -> Found:
    """What a path holds.

    Args:
      listing: of its files.
      reading: how it is read.
      noun: what is wanted of it, "text", "image" or "objects"; empty: whatever there is.
      limit: bytes of decoded examples that are read into memory.
    Raises:
      BadInput: saying what it holds instead of what is read.
    """
    where = listing.where
    is_file = len(listing.files) == 1 and not os.path.isdir(local_path(where, "--dataset"))
    found = _file(listing, reading, limit) if is_file else _folder(listing, reading, noun, limit)
    if reading.test_share != TEST_SHARE and not found.is_drawn:
        raise BadInput(f"--test_share {reading.test_share:g}: {where} has {', '.join(found.parts)}; leave it out")
    return found


def _file(listing: Files, reading: Asked, limit: int) -> Found:
    (file,), where = listing.files, listing.where
    if not file.size:
        raise BadInput(f"{where} is empty")
    if file.ending in ARRAYS:
        return array_file(listing, reading, limit)
    if file.ending in TABLES:
        return table_file(listing, reading, limit)
    if file.ending in PICKLES:
        raise BadInput(f"{where} is a pickle, which can run code, and is not read; save arrays by np.savez")
    if file.ending in (*PICTURES, *OTHERS, ".wav"):
        raise BadInput(f"{where} is one file; a folder of such is a data set")
    if file.ending in BINARY:
        raise BadInput(f"{where}: {file.ending} is not read; what is: {READ}")
    return text_file(listing, reading, limit)


def _folder(listing: Files, reading: Asked, noun: str, limit: int) -> Found:
    where, kinds = listing.where, {file.ending for file in listing.files}
    if not listing.files:
        raise BadInput(f"{where} is an empty folder" if not listing.folders else f"{where} has folders and no files")
    if noun == "text":
        return text_folder(listing, reading, limit)
    pictures, sounds = kinds & {*PICTURES, *OTHERS}, ".wav" in kinds
    is_seen = noun in ("image", "objects")
    if pictures and sounds and not is_seen:
        raise BadInput(f"{where} has pictures and sounds; put each into a folder of its own")
    if noun in ("", "objects") and annotation_files(listing):
        return annotated_folder(listing, reading)
    if pictures and noun == "objects":
        raise BadInput(f"{where} has pictures without boxes; annotations.json, in COCO's format, would have them")
    if pictures and is_paired(listing):
        return pair_folder(listing, reading)
    if pictures:
        return picture_folder(listing, reading)
    if is_seen:
        raise BadInput(f"{where} has no pictures, but {endings(listing.files)}; those read: {' '.join(PICTURES)}")
    if sounds:
        return sound_folder(listing, reading)
    if tables := [file for file in listing.files if file.ending in (*ARRAYS, *TABLES)]:
        raise BadInput(f"{where} is a folder; give the file: {where.rstrip('/')}/{tables[0].name}")
    return text_folder(listing, reading, limit)
