"""Tables: rows of measurements with a target or a label, standardised, and what their columns are.

A measurement that does not vary is 0 everywhere: it says nothing.
"""

import re
from typing import NamedTuple

import numpy as np

from adl.data.source import load, splits

PROTOCOLS = {  # of the splits below
    "diabetes": "diabetes: the first 352 of 442 patients to learn, the last 90 to test",
    "breast_cancer": "breast_cancer: two of three rows to learn, 189 of 569 to test",
    "wine": "wine: two of three rows to learn, 59 of 178 to test",
}


class Targets(NamedTuple):
    """Rows with a number each, both standardised by the means and deviations of the rows to learn from."""

    x: np.ndarray  # [N, D] float32
    y: np.ndarray  # [N] float32
    unit: float  # of y, in that of the table
    columns: list[str]  # [D]


class Labels(NamedTuple):
    """Rows with a class each, standardised by the means and deviations of the rows to learn from."""

    x: np.ndarray  # [N, D] float32
    label: np.ndarray  # [N] int32
    columns: list[str]  # [D]
    classes: list[str]  # [K]


def targets(name: str, data_dir: str = "") -> tuple[Targets, Targets]:
    """Training and test split of a table of numbers.

    Args:
      name: TFDS name of a set with "x" `[D]` and a number "y", or "features" and "target", and both splits.
      data_dir: as in `data.load`.
    Raises:
      BadInput: as `data.load`, and for a set without these columns.
    """
    both = [split.arrays for split in splits(name, "x", "y", data_dir=data_dir)]
    of_x, of_y = (scale(both[0][column]) for column in ("x", "y"))
    columns, unit = column_names(name, both[0]["x"].shape[1]), float(of_y[1])
    return tuple(Targets(standard(rows["x"], *of_x), standard(rows["y"], *of_y), unit, columns) for rows in both)


def labels(name: str, data_dir: str = "") -> tuple[Labels, Labels]:
    """Rows to learn from and to test of a table of classes: of its training split two of three, and every third.

    Args:
      name: TFDS name of a set with "x" or "features" `[D]` and "label".
      data_dir: as in `data.load`.
    Raises:
      BadInput: as `data.load`, and for a set without these columns.
    """
    table = load(name, "train", data_dir).require("x", "label")
    x, label = table.arrays["x"], table.arrays["label"].astype(np.int32)
    is_test = np.arange(len(x)) % 3 == 2
    of_x = scale(x[~is_test])
    classes = [f"class {k}" if k.isdigit() else k for k in table.info.features["label"].names]
    columns = column_names(name, x.shape[1])
    return tuple(Labels(standard(x[rows], *of_x), label[rows], columns, classes) for rows in (~is_test, is_test))


def scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations of the columns of `x [N, ...]` in float64; 1 of those that do not vary."""
    deviation = x.std(0, dtype=float)
    # Rounding leaves a constant that is no binary fraction a deviation.
    varies = x.max(0) > x.min(0)
    return x.mean(0, dtype=float), np.where(varies, deviation, 1.0)


def standard(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """`x [N, ...]` less the mean, in deviations, as float32."""
    return ((x.astype(float) - mean) / deviation).astype(np.float32)


def column_names(name: str, num: int) -> list[str]:
    """What the `num` features of a set are: numbers where it is not bundled."""
    from adl.data.bundled import BUNDLED

    columns = getattr(BUNDLED.get(re.split("[/:]", name)[0]), "columns", None)
    return columns() if columns else [f"measurement {i}" for i in range(num)]
