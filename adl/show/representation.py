"""Representations: what a linear probe reads in them, which views they come from, which pictures they put together."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.images import image_grid
from adl.show.names import Names
from adl.show.points import embedding
from adl.show.style import Draw, of


def linear_probe(outcome: Outcome) -> Figure:
    """Accuracy by the step, of the probe "test", and that of its references, of the final probe "probe"."""
    return curves(
        {"representation": "test/accuracy"},
        y_label="accuracy on the test split",
        title="Linear probe",
        references={f"{name} {{:.1%}}": f"probe/{name}" for name in ("pixels", "untrained")},
    )(outcome)


def features(label: np.ndarray, names: Names = ()) -> Draw:
    """The features of the same probe's test split in the plane that shows most of them, by their classes.

    Args:
      label: `[N]` integers >= 0, of the test split.
      names: of the classes.
    """
    return of(embedding, "test/features", label=label, names=names, title="Representation of the test split")


def views(pairs: np.ndarray, *, image: np.ndarray) -> Figure:
    """Pictures, and two views of each.

    Args:
      pairs: `[2, N, H, W, C]`.
      image: `[N, H, W, C]` in [0, 1].
    """
    rows = np.concatenate([image[None], pairs])
    title = "Pictures, and two views: from one the other is predicted"
    return image_grid(rows, row_labels=["picture", "view", "view"], title=title)


def members(label: np.ndarray, closeness: np.ndarray, *, image: np.ndarray, rows: int = 10, cols: int = 12) -> Figure:
    """The largest clusters, a row each: the pictures nearest to the centre.

    Args:
      label: `[N]` the cluster of each picture; -1: none.
      closeness: `[N]` to its centre.
      image: `[N, H, W, C]` in [0, 1].
      rows: clusters, at most.
      cols: pictures of each, at most.
    """
    size = np.bincount(label[label >= 0], minlength=1)
    largest = np.argsort(-size, kind="stable")[:rows]
    grid = np.ones((len(largest), cols, *image.shape[1:]))
    for row, cluster in zip(grid, largest, strict=True):
        own = np.flatnonzero(label == cluster)
        best = own[np.argsort(-closeness[own])][:cols]
        row[: len(best)] = image[best]
    return image_grid(
        grid,
        row_labels=[f"{cluster}: {size[cluster]}" for cluster in largest],
        y_label="cluster: its number of pictures",
        title="The largest clusters, and their most typical members",
    )
