"""Pictures that were asked for in words, as `diffusion.asking.found_in_samples`, the probe "asked", says."""

from collections.abc import Mapping, Sequence

import numpy as np

from adl.show.images import image_grid
from adl.show.names import dots
from adl.show.panels import page
from adl.show.style import Draw

SHARES = {
    **{"attributes": "all attributes found", "place": "place", "colour": "colour"},
    **{"shape": "shape", "number": "number", "whole": "pictures that are right"},
}


def asked_pictures(words: Mapping[str, Sequence[str]], rows: Sequence[str]) -> Draw:
    """Captions, and pictures of each: real, made, looked up.

    Args:
      words: captions by the names of the probe, those that it shows first.
      rows: who made pictures, W + 3 of them.
    """

    def draw(outcome):
        grids = {name: outcome.arrays[f"asked/{name}_grid"] for name in words}
        labels = [one for name, grid in grids.items() for one in words[name][: len(grid)]]
        return image_grid(
            np.concatenate([*grids.values()]),
            row_labels=[label.replace(", ", ",\n") for label in labels],
            col_labels=rows,
            title="Asked for in words",
        )

    return draw


def asked_shares(rows: Sequence[str], kinds: Mapping[str, str]) -> Draw:
    """A panel a share, whose pictures a row.

    Args:
      rows: who made pictures, W + 3 of them.
      kinds: what kinds of captions are called, by the names of the probe.
    """
    panels = [
        dots(
            rows,
            {called: f"asked/{name}_{share}" for name, called in kinds.items()},
            x_label=label,
            x_lim=(-0.03, 1.03),
        )
        for share, label in SHARES.items()
    ]
    return page(*(panels[i : i + 3] for i in range(0, len(panels), 3)), size=(3.6, 2.4))
