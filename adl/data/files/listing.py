"""The files of a folder: found without opening one, and known again by their names, sizes and contents."""

import functools
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from adl.core import BadInput
from adl.data.files.found import as_compared

JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini", "Icon\r"}  # of file managers; and all names that begin with a dot
DEPTH = 32  # folders within one another
READ_WHOLE = 2**30  # bytes of all files up to which their contents are digested; of more, names, sizes and both ends
END = 2**16  # bytes of such an end
CONTROL = re.compile(r"[\0-\x1f\x7f]")  # what would tear a line, or a name


class File(NamedTuple):
    """A file of a folder."""

    name: str  # its path within the folder, with slashes
    size: int  # bytes
    changed: int  # nanoseconds; a file of the same content may have another

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders and name."""
        return tuple(self.name.split("/"))

    @property
    def ending(self) -> str:
        """What a name ends in, ".png" of a.PNG as well."""
        return os.path.splitext(self.name)[1].lower()


class Files(NamedTuple):
    """The regular files below a folder, in the order of their names, or one file."""

    root: Path
    where: str  # the path as a person wrote it
    files: tuple[File, ...]
    folders: tuple[str, ...] = ()  # paths within the root

    def path(self, file: File) -> Path:
        """Where a file is."""
        return self.root / file.name

    def only(self, files: Sequence[File]) -> "Files":
        """The same with some of the files."""
        return self._replace(files=tuple(files))

    def read(self, file: File) -> bytes:
        """What is in a file.

        Raises:
          BadInput: if it cannot be read, or is no longer what was listed.
        """
        try:
            content = self.path(file).read_bytes()
        except OSError as error:
            raise BadInput(f"{self.where}: {file.name} cannot be read ({error.strerror or error})") from None
        if len(content) != file.size:
            raise BadInput(f"{self.where}: {file.name} has changed while it is read; start anew")
        return content


def listed(root: Path, where: str) -> Files:
    """All files below a folder; of a file, itself. Links must stay within the folder.

    Args:
      root: a folder or a file.
      where: the same, as a person wrote it.
    Raises:
      BadInput: if it is not there, or holds what is no file, a link that leads out of it, or a name that is not UTF-8.
    """
    try:
        kind = root.stat()
        if stat.S_ISREG(kind.st_mode):
            return Files(root.parent, where, (File(root.name, kind.st_size, kind.st_mtime_ns),))
        if not stat.S_ISDIR(kind.st_mode):
            raise BadInput(f"{where} is neither a file nor a folder")
        return _walked(root, where)
    except OSError as error:
        name = os.fspath(error.filename or root)
        inside = name.removeprefix(f"{root}/")
        told = where if inside == name else f"{where}: {inside!a}" if not is_utf8(inside) else f"{where}: {inside}"
        raise BadInput(f"{told} cannot be read ({error.strerror or error})") from None


def _walked(root: Path, where: str) -> Files:
    files, folders, waiting, real = [], [], [""], os.path.realpath(root)
    while waiting:
        within = waiting.pop()
        with os.scandir(root / within) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in JUNK:
                    continue
                name = f"{within}/{entry.name}" if within else entry.name
                _require_plain(entry, name, real, where)
                if entry.is_dir():
                    folders.append(name)
                    waiting.append(name)
                    if name.count("/") >= DEPTH:
                        raise BadInput(f"{where}: {name[:60]}... lies below more than {DEPTH} folders")
                else:
                    found = entry.stat()
                    files.append(File(name, found.st_size, found.st_mtime_ns))
    return Files(root, where, tuple(sorted(files, key=lambda file: as_compared(file.name))), tuple(sorted(folders)))


def _require_plain(entry: os.DirEntry, name: str, real: str, where: str) -> None:
    """Refuses what is no file and no folder of this one."""
    if not is_utf8(name):
        raise BadInput(f"{where}: the name of {name!a} is not UTF-8; rename it")
    if CONTROL.search(name):
        raise BadInput(f"{where}: the name of {name!a} has what is no letter; rename it")
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if target != real and not target.startswith(real + os.sep):
            raise BadInput(f"{where}: {name} is a link that leads out of the folder; put there what it leads to")
        if not os.path.exists(target):
            raise BadInput(f"{where}: {name} is a link that leads nowhere; remove it")
        if entry.is_dir():
            raise BadInput(f"{where}: {name} is a link to a folder; put there what it leads to")
    if not entry.is_dir() and not stat.S_ISREG(entry.stat().st_mode):
        raise BadInput(f"{where}: {name} is neither a file nor a folder; remove it")


def is_utf8(name: str) -> bool:
    """Whether a name can be written: a lone half of a pair of surrogates cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@functools.lru_cache(maxsize=8)
def digests(listing: Files) -> dict[str, tuple[int, str]]:
    """Size and digest of each file by its name: of the contents, or where all are large of both ends of each.

    Raises:
      BadInput: if one cannot be read.
    """
    is_whole = sum(file.size for file in listing.files) <= READ_WHOLE
    return {as_compared(file.name): (file.size, _digest(listing, file, is_whole)) for file in listing.files}


def _digest(listing: Files, file: File, is_whole: bool) -> str:
    found = hashlib.blake2b(digest_size=12)
    try:
        with listing.path(file).open("rb", buffering=0) as opened:
            if is_whole or file.size <= 2 * END:
                while block := opened.read(2**20):
                    found.update(block)
            else:
                found.update(opened.read(END))
                opened.seek(-END, os.SEEK_END)
                found.update(opened.read(END))
    except OSError as error:
        raise BadInput(f"{listing.where}: {file.name} cannot be read ({error.strerror or error})") from None
    return found.hexdigest()


def endings(files: Sequence[File], most: int = 4) -> str:
    """Of what kinds files are: ".txt 12, .md 3"."""
    counts = Counter(file.ending or "no ending" for file in files).most_common()
    told = ", ".join(f"{ending} {count}" for ending, count in counts[:most])
    return f"{told} ..." if len(counts) > most else told
