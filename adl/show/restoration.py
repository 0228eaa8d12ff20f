"""Restoration: what was there, what was seen of it, and what each way makes of that."""

import re
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.style import Draw


def restored(probe: str, ways: Mapping[str, str], *, x_label: str) -> Draw:
    """Some black and white images, and what each way makes of them, with its share of wrong pixels.

    Args:
      probe: that returned the arrays "image clean" and "image NAME" `[N, H, W]` in {-1, 1}, black being 1, and the
        metrics "NAME_error".
      ways: `{name: title}`, a column each.
      x_label: what the columns are.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of(probe)
        titles = [
            f"{re.sub('[ -]', chr(10), title)}\n{outcome.last(f'{probe}/{name}_error'):.1%}"
            for name, title in ways.items()
        ]
        columns = np.stack([seen[f"image {name}"] for name in ("clean", *ways)], 1)[..., None]
        return image_grid((1 - columns) / 2, col_labels=["truth", *titles], x_label=x_label)

    return draw
