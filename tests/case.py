"""A factory under the laws, and the small data that several families learn from.

A family's `cases.py` holds `CASES: dict[str, Case]`, by name; `laws.py` has every one of them obey every law.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adl.core import Algorithm

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(4, 16, 8, 8, 1), dtype=np.uint8)
LABELS = (IMAGES.mean((2, 3, 4)) > 127).astype(np.int32)
POINTS = RNG.normal(size=(4, 16, 2)).astype("f")
LENGTHS = np.arange(16) % 8 + 1
WEIGHTS = np.linspace(-0.5, 1, 64).clip(0).astype("f")


class Case(NamedTuple):
    """One factory, under all laws: `make(axis)` builds the algorithm, `batch(step)` its data.

    A stochastic step draws other noise under pmap than under jit, as each device has a key of its own: there the two
    agree in the mean over steps, within its statistical error.
    """

    make: Callable[[str | None], Algorithm]
    batch: Callable[[int], Any]
    falls: str  # a metric that must fall within `steps` steps
    is_deterministic: bool = True
    steps: int = 40
    rises: bool = False  # it must rise instead: a return
    takes: tuple[str, ...] = ()  # of a batch's "rank", "length" and "type" what no factory of the library looks at
    reduces: bool = True  # over devices, by the axis that it is built with; if not, the factory takes none


def nothing(step: int) -> tuple[()]:
    return ()


def images(step: int) -> dict[str, np.ndarray]:
    return {"image": IMAGES[step % 4], "label": LABELS[step % 4]}


def points(step: int) -> np.ndarray:
    return POINTS[step % 4]


def cloud(step: int) -> dict[str, np.ndarray]:
    """All points at every step, some of which weigh less, or nothing."""
    return {"x": POINTS.reshape(-1, 2), "mask": WEIGHTS}


def holed(step: int) -> dict[str, np.ndarray]:
    """All points at every step, of which some numbers are hidden."""
    points = cloud(step)["x"]
    return {"x": points, "seen": (np.arange(points.size).reshape(points.shape) % 5 > 0).astype("f")}
