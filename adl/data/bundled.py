"""Real data that the dependencies carry, as TFDS data sets."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds


class Digits(tfds.core.GeneratorBasedBuilder):
    """Handwritten digits, 8x8, by 43 people; the last 360 by other writers than the first 1,437.

    Source: Alpaydin and Kaynak 1998, UCI Machine Learning Repository, as scikit-learn's `load_digits`.
    """

    name = "digits"
    VERSION = tfds.core.Version("1.0.0")

    @classmethod
    def _get_pkg_dir_path(cls):  # TFDS looks there for citations and checksums, of which there are none
        from etils import epath

        return epath.Path(__file__).parent

    def _info(self):
        features = {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's handwritten digits; a pixel of v in 0..16 is stored as round(v * 255 / 16).",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(slice(0, 1437)), "test": self._generate_examples(slice(1437, None))}

    def _generate_examples(self, rows):
        import cv2
        from sklearn.datasets import load_digits

        digits = load_digits()
        for index, (pixels, label) in enumerate(zip(digits.images[rows], digits.target[rows], strict=True)):
            # PNG by OpenCV: TFDS itself encodes arrays with TensorFlow.
            png = cv2.imencode(".png", np.round(pixels * 255 / 16).astype(np.uint8))[1].tobytes()
            yield index, {"image": io.BytesIO(png), "label": int(label)}


def _prepare(builder: type[tfds.core.GeneratorBasedBuilder]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()):  # it prints where it prepares, which is not where it stays
            builder(data_dir=folder, file_format="array_record").download_and_prepare()

    return prepare


BUNDLED: dict[str, Callable[[Path], None]] = {builder.name: _prepare(builder) for builder in (Digits,)}
