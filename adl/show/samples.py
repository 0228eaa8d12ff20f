"""Samples of a generative model, by class, and beside the data most like them."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid


def samples(outcome: Outcome) -> Figure:
    """What `measure.samples.two_sample_test`, as the probe "samples", drew: samples by class."""
    grid = outcome.arrays["samples/grid"]
    return image_grid(grid, row_labels=range(len(grid)), y_label="class asked for", title="Samples")


def nearest(outcome: Outcome) -> Figure:
    """The same probe's samples beside the training images most like them: alike, not copies."""
    pair = [outcome.arrays[f"samples/{name}"][:, :3].swapaxes(0, 1) for name in ("grid", "nearest")]
    images = np.stack(pair, 1).reshape(-1, *pair[0].shape[1:])
    return image_grid(
        images,
        row_labels=["sample", "nearest"] * len(pair[0]),
        col_labels=range(images.shape[1]),
        x_label="class asked for",
        title="Samples, and the training image nearest to each",
    )
