"""Real data that the dependencies carry, as TFDS builders."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath


class Digits(tfds.core.GeneratorBasedBuilder):
    """Handwritten digits, 8x8, by 43 people; the last 360 by other writers than the first 1,437.

    Source: Alpaydin and Kaynak 1998, UCI Machine Learning Repository, as scikit-learn's `load_digits`.
    """

    VERSION = tfds.core.Version("1.0.0")

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:  # where TFDS looks for citations and checksums, of which there are none
        return epath.Path(Path(__file__).parent)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's handwritten digits; a pixel v in 0..16 is stored as round(v * 255 / 16).",
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples(slice(0, 1437)), "test": self._generate_examples(slice(1437, 1797))}

    def _generate_examples(self, rows: slice) -> Iterator[tuple[int, dict[str, Any]]]:
        import cv2
        from sklearn.datasets import load_digits

        digits = load_digits()
        for index, (pixels, label) in enumerate(zip(digits.images[rows], digits.target[rows], strict=True)):
            # TFDS takes files as they are, but would encode an array with TensorFlow.
            png = cv2.imencode(".png", np.round(pixels * 255 / 16).astype(np.uint8))[1].tobytes()
            yield index, {"image": io.BytesIO(png), "label": int(label)}


class Diabetes(tfds.core.GeneratorBasedBuilder):
    """Progression of diabetes in 442 patients a year after ten measurements; the last 90 rows are the test split.

    Source: Efron, Hastie, Johnstone & Tibshirani 2004, Annals of Statistics 32(2), as scikit-learn's `load_diabetes`.
    """

    VERSION = tfds.core.Version("1.0.0")

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:
        return epath.Path(Path(__file__).parent)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="age, sex, body mass index, blood pressure and six blood serum measurements, in raw units.",
            features=tfds.features.FeaturesDict(
                {"features": tfds.features.Tensor(shape=(10,), dtype=np.float32), "target": np.float32}
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples(slice(0, 352)), "test": self._generate_examples(slice(352, 442))}

    def _generate_examples(self, rows: slice) -> Iterator[tuple[int, dict[str, Any]]]:
        from sklearn.datasets import load_diabetes

        table = load_diabetes(scaled=False)
        for index, (features, target) in enumerate(zip(table.data[rows], table.target[rows], strict=True)):
            yield index, {"features": features.astype(np.float32), "target": np.float32(target)}


class BreastCancer(tfds.core.GeneratorBasedBuilder):
    """Diagnoses of 569 tumours from 30 measurements of the nuclei of their cells.

    Source: Street, Wolberg and Mangasarian 1993, UCI Machine Learning Repository, as scikit-learn's
    `load_breast_cancer`.
    """

    VERSION = tfds.core.Version("1.0.0")
    name = "breast_cancer"

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:
        return epath.Path(Path(__file__).parent)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's Wisconsin breast cancer data, in its order and units.",
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(30,), dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=["malignant", "benign"]),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from sklearn.datasets import load_breast_cancer

        for index, (row, label) in enumerate(zip(*load_breast_cancer(return_X_y=True), strict=True)):
            yield index, {"features": row.astype(np.float32), "label": int(label)}


class Wine(tfds.core.GeneratorBasedBuilder):
    """Three cultivars of 178 Italian wines from 13 chemical measurements.

    Source: Aeberhard and Forina 1992, UCI Machine Learning Repository, as scikit-learn's `load_wine`.
    """

    VERSION = tfds.core.Version("1.0.0")

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:
        return epath.Path(Path(__file__).parent)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's wine data, in its order (sorted by class) and units.",
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(13,), dtype=np.float32),
                    "label": tfds.features.ClassLabel(num_classes=3),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from sklearn.datasets import load_wine

        for index, (row, label) in enumerate(zip(*load_wine(return_X_y=True), strict=True)):
            yield index, {"features": row.astype(np.float32), "label": int(label)}


BUNDLED = {builder.name: builder for builder in (Digits, Diabetes, BreastCancer, Wine)}
