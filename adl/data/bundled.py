"""Real data that the dependencies carry, as TFDS builders."""

import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled, png
from adl.data.music.grammar import PartSongs
from adl.data.reviews import Reviews
from adl.data.scenes.sets import SETS
from adl.data.sounds.sets import SETS as SOUNDS
from adl.data.spelled import SpelledDeEn


class Digits(Bundled):
    """Handwritten digits, 8x8, by 43 people; the last 360 by other writers than the first 1,437.

    Source: Alpaydin and Kaynak 1998, UCI Machine Learning Repository, as scikit-learn's `load_digits`.
    """

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
        from sklearn.datasets import load_digits

        digits = load_digits()
        for index, (pixels, label) in enumerate(zip(digits.images[rows], digits.target[rows], strict=True)):
            yield index, {"image": png(np.round(pixels * 255 / 16).astype(np.uint8)), "label": int(label)}


class _Table(Bundled, skip_registration=True):
    """Rows "features" `[D]` float32, and one more column, in scikit-learn's order and units."""

    description: str
    num_features: int  # D
    column: Mapping[str, Any]  # name and TFDS feature of the other column
    splits: Mapping[str, slice] = {"train": slice(None)}

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """`[N, D]` features and `[N]` values of the other column."""
        raise NotImplementedError

    @classmethod
    def columns(cls) -> list[str]:
        """What the D features are."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"features": tfds.features.Tensor(shape=(self.num_features,), dtype=np.float32), **self.column}
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.description,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {name: self._generate_examples(rows) for name, rows in self.splits.items()}

    def _generate_examples(self, rows: slice) -> Iterator[tuple[int, dict[str, Any]]]:
        (name,), (features, column) = self.column, self._table()
        for index, (row, value) in enumerate(zip(features[rows], column[rows], strict=True)):
            yield index, {"features": row.astype(np.float32), name: value}


class Diabetes(_Table):
    """Progression of diabetes in 442 patients a year after ten measurements; the last 90 rows are the test split.

    Source: Efron, Hastie, Johnstone & Tibshirani 2004, Annals of Statistics 32(2), as scikit-learn's `load_diabetes`.
    """

    description = "age, sex, body mass index, blood pressure and six blood serum measurements, in raw units."
    rows = "patients"
    num_features = 10
    column = {"target": np.float32}
    splits = {"train": slice(0, 352), "test": slice(352, 442)}

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_diabetes

        return load_diabetes(scaled=False, return_X_y=True)

    @classmethod
    def columns(cls) -> list[str]:
        """As the paper has them, in words."""
        blood = ["cholesterol", "LDL", "HDL", "cholesterol / HDL", "log triglycerides", "glucose"]
        return ["age", "sex", "body mass", "blood pressure", *blood]


class BreastCancer(_Table):
    """Diagnoses of 569 tumours from 30 measurements of the nuclei of their cells.

    Source: Street, Wolberg and Mangasarian 1993, UCI Machine Learning Repository, as scikit-learn's
    `load_breast_cancer`.
    """

    name = "breast_cancer"
    description = "scikit-learn's Wisconsin breast cancer data, in its order and units."
    num_features = 30
    column = {"label": tfds.features.ClassLabel(names=["malignant", "benign"])}

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_breast_cancer

        return load_breast_cancer(return_X_y=True)

    @classmethod
    def columns(cls) -> list[str]:
        """As scikit-learn has them, in words."""
        from sklearn.datasets import load_breast_cancer

        return [name.replace("_", " ") for name in load_breast_cancer().feature_names]


class Wine(_Table):
    """Three cultivars of 178 Italian wines from 13 chemical measurements.

    Source: Aeberhard and Forina 1992, UCI Machine Learning Repository, as scikit-learn's `load_wine`.
    """

    description = "scikit-learn's wine data, in its order (sorted by class) and units."
    num_features = 13
    column = {"label": tfds.features.ClassLabel(num_classes=3)}

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_wine

        return load_wine(return_X_y=True)

    @classmethod
    def columns(cls) -> list[str]:
        """As scikit-learn has them, in words."""
        from sklearn.datasets import load_wine

        return [name.replace("_", " ") for name in load_wine().feature_names]


class Iris(Bundled, skip_registration=True):
    """Three species of 150 irises, and four measurements of their flowers in cm, a column each.

    Source: Anderson 1936, Annals of the Missouri Botanical Garden 23(3), and Fisher 1936, Annals of Eugenics 7(2), as
    scikit-learn's `load_iris`.
    """

    COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    rows = "flowers"

    def _info(self) -> tfds.core.DatasetInfo:
        species = tfds.features.ClassLabel(names=["setosa", "versicolor", "virginica"])
        return tfds.core.DatasetInfo(
            builder=self,
            description="scikit-learn's iris data, in its order (sorted by species) and units.",
            features=tfds.features.FeaturesDict({**dict.fromkeys(self.COLUMNS, np.float32), "label": species}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from sklearn.datasets import load_iris

        for index, (row, label) in enumerate(zip(*load_iris(return_X_y=True), strict=True)):
            yield index, {**dict(zip(self.COLUMNS, row.astype(np.float32), strict=True)), "label": int(label)}


class PythonLibrary(Bundled):
    """Source text of the running Python's standard library: the modules that lie at its top, a file an example.

    They come in the order of the SHA-256 digests of their names, up to 2 MiB; a digest that is 0 modulo 20 sends its
    file to the validation split, 1 to the test split, all else to train. The version is that of Python.
    """

    name = "python_library"
    VERSION = tfds.core.Version("{}.{}.{}".format(*sys.version_info))
    LIMIT = 2 * 2**20  # bytes of all splits

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Modules of the standard library of Python {self.VERSION}, as UTF-8 text.",
            features=tfds.features.FeaturesDict({"name": tfds.features.Text(), "text": tfds.features.Text()}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {name: self._generate_examples(name) for name in ("train", "validation", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        room = self.LIMIT
        paths = {_digest(path.name): path for path in Path(sysconfig.get_path("stdlib")).glob("*.py")}
        for index, (digest, path) in enumerate(sorted(paths.items())):
            text = path.read_text("utf-8")
            room -= path.stat().st_size
            if room >= 0 and split == {0: "validation", 1: "test"}.get(digest % 20, "train"):
                yield index, {"name": path.name, "text": text}


class PythonReference(Bundled):
    """What the running Python's reference says of its topics, as its `help()` shows them: prose with code between it.

    They come in the order of the SHA-256 digests of their names; a digest that is 0 modulo 8 sends its topic to the
    test split, all else to train. A paragraph that comes again, there or in another topic, stays where it came first.
    The version is that of Python.
    """

    name = "python_reference"
    VERSION = tfds.core.Version("{}.{}.{}".format(*sys.version_info))

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Topics of the language reference of Python {self.VERSION}, as UTF-8 text.",
            features=tfds.features.FeaturesDict({"name": tfds.features.Text(), "text": tfds.features.Text()}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {name: self._generate_examples(name) for name in ("train", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        from pydoc_data.topics import topics

        seen: set[str] = set()
        for index, (digest, name) in enumerate(sorted((_digest(name), name) for name in topics)):
            own = []
            for part in topics[name].strip().split("\n\n"):
                if part.strip() not in seen:
                    seen.add(part.strip())
                    own.append(part)
            if own and split == ("train" if digest % 8 else "test"):
                yield index, {"name": name, "text": "\n\n".join(own) + "\n"}


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")


BUNDLED = {
    builder.name: builder
    for builder in (
        *(Digits, Diabetes, BreastCancer, Wine, Iris, PythonLibrary, PythonReference),
        *(Reviews, SpelledDeEn, PartSongs),
    )
}
BUNDLED |= {f"scenes/{name}": builder for name, builder in SETS.items()}
BUNDLED |= {f"sounds/{name}": builder for name, builder in SOUNDS.items()}
