"""Texts in files, read as UTF-8: one file cut by place, or a folder of them divided as pictures are."""

from adl.core import BadInput
from adl.data.files.found import About, Asked, Found
from adl.data.files.layout import arranged, twins
from adl.data.files.listing import File, Files, endings
from adl.data.split import Split
from adl.data.split import stacked as columns_of

ONE_TEXT = "one_text"  # in what is known of texts: that they are pieces of one
BINARY = {  # what lies beside texts, and is none
    *(
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".svgz",
        ".ico",
        ".pdf",
        ".wav",
        ".mp3",
        ".mp4",
    ),
    *(".zip", ".gz", ".bz2", ".xz", ".tar", ".npz", ".npy", ".parquet", ".pyc", ".so", ".o", ".a", ".whl", ".docx"),
}


def text_of(listing: Files, file: File) -> str:
    """What a file says.

    Raises:
      BadInput: naming the first byte that is not UTF-8, and where it is.
    """
    content = listing.read(file)
    name = listing.where if listing.where.endswith(file.name) else f"{listing.where}: {file.name}"
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content[:at].count(b"\n") + 1
        told = f"byte {at} (line {line}) is 0x{content[at]:02x}"
        raise BadInput(f"{name} is no UTF-8 text: {told}; save it as UTF-8") from None


def text_file(listing: Files, reading: Asked, limit: int) -> Found:
    """A text, cut by place: its end is the test part.

    Raises:
      BadInput: if it is no text, too short to be cut, or too large: texts are read whole.
    """
    (file,), where = listing.files, listing.where
    _require_size(listing, limit)
    text = text_of(listing, file)
    at = round(len(text) * (1 - reading.test_share))
    if not 0 < at < len(text):
        raise BadInput(f"{where}: a text of {len(text)} characters has no part of --test_share {reading.test_share:g}")
    about = About(where, {}, ("train", "test"), {ONE_TEXT: True})
    parts = {
        split: Split(columns_of([{"name": file.name.encode(), "text": part.encode()}]), about)
        for split, part in (("train", text[:at]), ("test", text[at:]))
    }
    return Found(parts, about, (f"{where}: {len(text)} characters, the last {len(text) - at} to test",), True)


def text_folder(listing: Files, reading: Asked, limit: int) -> Found:
    """A folder of texts: "name" and "text".

    Raises:
      BadInput: naming the file that is no text.
    """
    where = listing.where
    files = [file for file in listing.files if file.ending not in BINARY]
    texts = listing.only([file for file in files if file.size])
    if not texts.files:
        raise BadInput(f"{where} has no texts but {endings(listing.files)}" if listing.files else f"{where} is empty")
    _require_size(texts, limit)
    # A folder of folders is how texts are kept in order, and says nothing of them but train/ and test/.
    parts = arranged(texts, reading.test_share, "texts", of_classes=False)
    about = About(where, {}, tuple(parts.files))
    found = {
        split: Split(columns_of([{"name": f.name.encode(), "text": text_of(texts, f).encode()} for f in of]), about)
        for split, of in parts.files.items()
    }
    sizes = ", ".join(f"{len(of)} to {split}" for split, of in parts.files.items())
    drawn = "; test drawn by a hash of the names" if parts.is_hashed else ""
    told = [f"{where}: {len(texts.files)} texts, {sizes}{drawn}"]
    if double := twins(texts, parts.files):
        told.append(f"{where}: {double}")
    if others := len(listing.files) - len(files):
        left = [file for file in listing.files if file.ending in BINARY]
        told.append(f"{where}: {others} other files are left out ({endings(left)})")
    if empty := len(files) - len(texts.files):
        told.append(f"{where}: {empty} empty files are left out")
    return Found(found, about, tuple(told), parts.is_hashed)


def _require_size(listing: Files, limit: int) -> None:
    size = sum(file.size for file in listing.files)
    if size > limit:
        raise BadInput(f"{listing.where} has {size} bytes of text, and texts are read whole, at most {limit}")
