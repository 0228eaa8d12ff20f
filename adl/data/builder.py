"""What TFDS's builders of bundled data sets have in common."""

import io
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from etils import epath


class Bundled(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What all of them have."""

    VERSION = tfds.core.Version("1.0.0")

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:  # where TFDS looks for citations and checksums, of which there are none
        return epath.Path(Path(__file__).parent)


def png(image: np.ndarray) -> io.BytesIO:
    """The file of a picture, uint8 `[H, W]` or RGB `[H, W, 3]`: TFDS would encode an array with TensorFlow."""
    import cv2

    return io.BytesIO(cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)[1].tobytes())
