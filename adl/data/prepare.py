"""TFDS data sets written to disk as array_record, without TensorFlow: `python -m adl.data.prepare NAME --data_dir DIR`.

TFDS encodes arrays as images with TensorFlow; here OpenCV does, so that official builders work without it, too.
"""

import argparse
import contextlib
import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from adl.core import BadInput


def prepare(name: str, data_dir: Path) -> None:
    """Downloads and writes an official TFDS data set, which needs the internet; one that is there is left alone.

    Args:
      name: TFDS name, "fashion_mnist".
      data_dir: created if need be.

    Raises:
      BadInput: if TFDS has no such builder, or it fails; the message is one line.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        names = tfds.list_builders(with_community_datasets=False)
        raise BadInput(f"TFDS has no data set {name}{did_you_mean(name, names)}") from None
    try:
        with images_by_opencv():
            builder.download_and_prepare()
    except Exception as error:  # whatever a builder of other people raises
        raise BadInput(f"data set {name} cannot be prepared in {data_dir}: {first_line(error)}") from error


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
    for place in places:
        if (place / part).is_dir():
            return place
    reasons = []
    for place in places:
        try:
            _build(BUNDLED[name], place, part)
        except (OSError, RuntimeError) as error:  # array_record says RuntimeError where the disk is full
            if not (place / part).is_dir():  # else another process was faster
                reasons.append(f"{place}: {first_line(error)}")
                continue
        return place
    raise BadInput(f"data set {name} cannot be prepared ({'; '.join(reasons)}); give a --data_dir that can be written")


def _build(builder: Any, place: Path, part: Path) -> None:
    """Prepares a data set in a temporary folder of `place` and renames it to `place / part`."""
    import tensorflow_datasets as tfds

    place.mkdir(parents=True, exist_ok=True)
    if not place.stat().st_mode & 0o222:  # the superuser can write even where nobody may
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    aside = Path(tempfile.mkdtemp(prefix=f".{part.parent.name}-", dir=place))
    try:
        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()), images_by_opencv():  # TFDS would print the temporary folder
            builder(data_dir=aside, file_format="array_record").download_and_prepare()
        (place / part).parent.mkdir(exist_ok=True)
        os.rename(aside / part, place / part)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def images_by_opencv() -> Iterator[None]:
    """Inside, TFDS's `Image` feature encodes arrays by OpenCV instead of TensorFlow."""
    import cv2
    from tensorflow_datasets.core.features import image_feature

    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}

    def encode(encoder: Any, array: np.ndarray) -> bytes:
        channels = array.shape[-1]
        done, data = cv2.imencode(
            f".{encoder.encoding_format}", cv2.cvtColor(array, order[channels]) if channels in order else array
        )
        if not done:
            raise ValueError(f"OpenCV cannot encode {array.shape} {array.dtype} as {encoder.encoding_format}")
        return data.tobytes()

    with mock.patch.object(image_feature._ImageEncoder, "_encode_image", encode):
        yield


def did_you_mean(name: str, names: list[str]) -> str:
    """`; did you mean X?`, or nothing where no name is close."""
    close = get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def first_line(error: BaseException) -> str:
    """What an error says in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m adl.data.prepare", description=main.__doc__)
    parser.description = "Writes an official TFDS data set as array_record, without TensorFlow."
    parser.add_argument("name", help="TFDS name, such as fashion_mnist")
    parser.add_argument("--data_dir", type=Path, required=True, help="where TFDS keeps its data")
    arguments = parser.parse_args()
    try:
        prepare(arguments.name, arguments.data_dir)
    except BadInput as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
