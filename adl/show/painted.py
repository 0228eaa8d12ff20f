"""Style transfer: contents, styles, and what came of both."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.style import Draw

LARGE = 256  # pixels from which on a picture is drawn as it is; smaller ones twice as large

WAYS = {
    "content": "content",
    "style": "style",
    "colours": "its colours",
    "random": "features\nbefore learning",
    "learned": "learned features",
}


def in_styles(probe: str, ways: Mapping[str, str] = WAYS) -> Draw:
    """Pictures in rows, a way to paint each a column.

    Args:
      probe: from `vision.style.styles_compared`.
      ways: texts by name.
    """

    def draw(outcome: Outcome) -> Figure:
        columns = np.stack([outcome.arrays[f"{probe}/{name}"] for name in ways], 1)
        scale = 2 if columns.shape[2] < LARGE else 1
        return image_grid(columns.repeat(scale, 2).repeat(scale, 3), col_labels=[*ways.values()])

    return draw
