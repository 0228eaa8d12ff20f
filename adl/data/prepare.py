"""Bundled data sets, written to disk as array_record on first use, offline and without TensorFlow."""

import contextlib
import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adl.core import BadInput, first_line, local_path


def tfds_folder(data_dir: str) -> Path:
    """TFDS's data folder: the one that --data_dir says, else $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
      BadInput: if it is an address.
    """
    place = data_dir or os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    return local_path(str(place), "--data_dir").absolute()


def prepared(name: str, data_dir: Path) -> Path:
    """Folder that holds a bundled data set, in which it is prepared on first use, or the cache if it is read-only.

    It is built aside and moved in whole, so that processes may race, and may be killed.

    Args:
      name: a key of `BUNDLED`.
      data_dir: the preferred folder; the other is `$XDG_CACHE_HOME/adl/tfds` (`~/.cache` without the variable).

    Raises:
      BadInput: if neither can be written.
    """
    from adl.data.bundled import BUNDLED

    part = Path(name) / str(BUNDLED[name].VERSION)
    places = (data_dir, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adl" / "tfds")
    reasons = []
    for place in places:
        try:
            if not os.path.isdir(place / part):  # not Path.is_dir, which raises in a folder that is closed to us
                _build(BUNDLED[name], place, part)
        except (OSError, RuntimeError) as error:  # array_record says RuntimeError where the disk is full
            if not os.path.isdir(place / part):  # else another process was faster
                reasons.append(f"{place}: {first_line(error)}")
                continue
        return place
    raise BadInput(f"data set {name} cannot be prepared ({'; '.join(reasons)}); give a --data_dir that can be written")


def _build(builder: Any, place: Path, part: Path) -> None:
    """Prepares a data set in a temporary folder of `place` and renames it to `place / part`."""
    with built(builder, place, part) as aside:
        move_in(aside, place, part)


@contextlib.contextmanager
def built(builder: Any, place: Path, part: Path) -> Iterator[Path]:
    """A temporary folder of `place` in which a data set is prepared; what is not moved out of it goes with it.

    Args:
      builder: makes TFDS's builder of `data_dir` and `file_format`.
      place: TFDS's data folder; made if need be.
      part: name and version of the data set, as folders.
    Raises:
      OSError: if `place` cannot be written; RuntimeError of array_record where the disk is full.
    """
    import tensorflow_datasets as tfds

    place.mkdir(parents=True, exist_ok=True)
    if not place.stat().st_mode & 0o222:  # the superuser can write even where nobody may
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    aside = Path(tempfile.mkdtemp(prefix=f".{part.parent.name}-", dir=place))
    try:
        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS would print the temporary folder
            builder(data_dir=aside, file_format="array_record").download_and_prepare()
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def move_in(aside: Path, place: Path, part: Path) -> None:
    """Renames `aside / part` to `place / part`, in one step.

    Raises:
      OSError: if something is there.
    """
    (place / part).parent.mkdir(parents=True, exist_ok=True)
    os.rename(aside / part, place / part)
