"""Raw files: read by name from a folder, plain, gzipped, or out of the archives in which they are handed out.

Nothing is unpacked to where others see it. What is damaged, ambiguous, too large or leads out of its archive is told
in one line.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, Self

from adl.core import BadInput, first_line

FILE_LIMIT = 2**30  # bytes of one file, unpacked
ARCHIVE_LIMIT = 2**33  # bytes of all that an archive declares
ARCHIVE = re.compile(r".*\.(zip|tar|tar\.gz|tgz|tar\.bz2|tar\.xz)", re.IGNORECASE)


class _Entry(NamedTuple):
    where: str  # for messages
    read: Callable[[], bytes]


class Raw:
    """The raw files in a folder and below it, and in the archives that lie at its top.

    A file is asked for by its name and the folders above it: `data/train/x.csv`. It is found wherever that path ends
    another one, as in an archive of a whole repository; or as `train/x.csv` or `x.csv` at the top, where the folder
    that was given is one of those on the path. `x.csv.gz` serves as `x.csv`. Links to folders are not followed.

    Raises:
      BadInput: if the folder is not there, or cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        if not os.path.isdir(folder):
            what = "is a file" if os.path.isfile(folder) else "is not there"
            raise BadInput(f"RAW_FOLDER {folder} {what}; give the folder that holds the files as they were published")
        self._files: dict[str, list[tuple[str, _Entry]]] = defaultdict(list)  # by name: path and entry
        self._packed: dict[str, list[tuple[str, _Entry]]] | None = None
        self._archives: list[Path] = []
        self._unseen: list[Path] = []  # folders that were not looked into: closed, or links
        self._held = ExitStack()  # archives that are open
        for root, folders, names in os.walk(folder, onerror=self._unreadable):
            self._unseen += [Path(root, name) for name in folders if Path(root, name).is_symlink()]
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(root, name)
                self._files[name].append((path.relative_to(folder).as_posix(), _Entry(str(path), _reader(path))))
                if ARCHIVE.fullmatch(name) and Path(root) == folder:
                    self._archives.append(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self, name: str, parse: Callable[[bytes], Any] = bytes) -> Any:
        """What a file holds.

        Args:
          name: of the file, after the folders above it.
          parse: makes of its bytes what is returned, and raises what says why it cannot.
        Raises:
          BadInput: if there is none, several that differ, or one that is damaged.
        """
        entry = self._only(name)
        try:
            return parse(entry.read())
        except BadInput:
            raise
        except Exception as error:  # what is damaged fails wherever its parser likes
            raise _unread(entry.where, error) from error

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raises BadInput on a file that can be read, and does not go with the others."""
        raise BadInput(f"{self._only(name).where} is not as it was published: {why}; fetch it again")

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return bool(self._found(name))

    def other_than(self, sums: Mapping[str, str]) -> list[str]:
        """Those of the files, with known SHA-256 sums, that are there and have another."""
        found = [(path, sums[name]) for name in sums for path, _ in self._files.get(name, ())]
        return [path for path, wanted in found if _sha256(self.folder / path) != wanted]

    def _only(self, name: str) -> _Entry:
        found = self._found(name)
        if not found:
            raise BadInput(f"RAW_FOLDER {self.folder} has no {name}{self._elsewhere(name.rpartition('/')[2])}")
        if len(found) > 1 and len({entry.read() for entry in found}) > 1:
            raise BadInput(f"{found[0].where} and {found[1].where} are both {name}, and differ; leave one")
        return found[0]

    def _elsewhere(self, stem: str) -> str:
        """What there is instead of a file that is not found."""
        told = f"; no file is called {stem}, nor that and .gz"
        if others := self._files.get(stem) or self._unpacked().get(stem):
            told = f"; {others[0][0]} is in another folder than it should be"
        elif self._archives:
            told += f", nor in {', '.join(path.name for path in self._archives)}"
        if self._unseen:
            told += f"; not looked into, as closed or a link: {', '.join(map(str, self._unseen[:3]))}"
        return told

    def _found(self, name: str) -> list[_Entry]:
        """Entries of a name: on disk, else packed; of the longest part of its path that leads to any."""
        for files in (lambda: self._files, self._unpacked):
            stem = name.rpartition("/")[2]
            there = [*files().get(stem, ()), *((path[:-3], entry) for path, entry in files().get(stem + ".gz", ()))]
            if ends := [entry for path, entry in there if f"/{path}".endswith(f"/{name}")]:
                return ends
            if tops := [entry for path, entry in there if f"/{name}".endswith(f"/{path}")]:
                return tops
        return []

    def _unpacked(self) -> dict[str, list[tuple[str, _Entry]]]:
        if self._packed is None:
            self._packed = defaultdict(list)
            for archive in self._archives:
                unpack = _zipped if archive.suffix.lower() == ".zip" else _taped
                try:
                    members = unpack(archive, self._held)
                except BadInput:
                    raise
                except Exception as error:
                    raise _unread(str(archive), error) from error
                for path, entry in members.items():
                    self._packed[path.rpartition("/")[2]].append((path, entry))
        return self._packed

    def _unreadable(self, error: OSError) -> None:
        if Path(error.filename) == self.folder:
            raise BadInput(f"RAW_FOLDER {error.filename}: {error.strerror}; give a folder that can be read")
        self._unseen.append(Path(error.filename))


def _unread(where: str, error: Exception) -> BadInput:
    """What is said of a file that cannot be read; another copy helps where the system has nothing against it."""
    remedy = "" if isinstance(error, OSError) and error.strerror else "; fetch it again"
    return BadInput(f"{where} cannot be read: {first_line(error)}{remedy}")


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would wait for ever
            raise ValueError("it is no regular file")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _bounded(file)

    return read


def _bounded(file: BinaryIO, size: int = FILE_LIMIT + 1) -> bytes:
    """So many bytes of a file, within the limit."""
    content = file.read(min(size, FILE_LIMIT + 1))
    if len(content) > FILE_LIMIT:
        raise ValueError(f"it has more than {FILE_LIMIT} bytes")
    return content


def _zipped(archive: Path, held: ExitStack) -> dict[str, _Entry]:
    file = held.enter_context(zipfile.ZipFile(archive))
    members, total = [member for member in file.infolist() if not member.is_dir()], 0
    for member in members:
        total = _grown(archive, total, member.filename, member.file_size)

    def reader(member: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            with file.open(member) as part:
                return _plain(member.filename, _bounded(part))

        return read

    return {one.filename: _Entry(f"{archive}, {one.filename}", reader(one)) for one in members}


def _taped(archive: Path, held: ExitStack) -> dict[str, _Entry]:
    """Members of a tar file, which is read once: a packed one would begin anew for each."""
    # Without a name, and gone with this process.
    store, found, total = held.enter_context(tempfile.TemporaryFile()), {}, 0

    def reader(name: str, start: int) -> Callable[[], bytes]:
        def read() -> bytes:
            store.seek(start)
            return _plain(name, _bounded(store, sizes[name]))

        return read

    sizes = {}
    with tarfile.open(archive, "r|*") as file:
        for member in file:
            total = _grown(archive, total, member.name, member.size)
            if member.isreg():
                name = member.name.removeprefix("./")
                found[name], sizes[name] = _Entry(f"{archive}, {name}", reader(name, store.tell())), member.size
                shutil.copyfileobj(file.extractfile(member), store)
    return found


def _grown(archive: Path, total: int, name: str, size: int) -> int:
    """What an archive unpacks to with one more member; refuses one that leads out of it, and too much."""
    if ".." in re.split(r"[/\\]", name) or name.startswith(("/", "\\")):
        raise BadInput(f"{archive} is not as it was published: its member {name!r} leads out of the folder")
    if total + size > ARCHIVE_LIMIT:
        raise BadInput(f"{archive} unpacks to more than {ARCHIVE_LIMIT} bytes: it is none of the published ones")
    return total + size


def _plain(name: str, content: bytes) -> bytes:
    """Of a gzipped member what it holds."""
    return _bounded(gzip.GzipFile(fileobj=io.BytesIO(content))) if name.endswith(".gz") else content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
