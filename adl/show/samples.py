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


def denoising(outcome: Outcome) -> Figure:
    """What `diffusion.evaluation.Sampler.path`, as the probe "path", saw: from noise to data, and how it was read."""
    seen = outcome.of("path")
    return image_grid(
        np.stack([seen["state"], seen["seen"]], 1).reshape(-1, *seen["state"].shape[1:]),
        row_labels=[f"{label}: {what}" for label in seen["label"] for what in ("x", "D(x; σ)")],
        col_labels=[f"{sigma:.2g}" for sigma in seen["sigma"]],
        x_label="noise level σ",
        title="From noise to a digit",
    )


def guidance(outcome: Outcome) -> Figure:
    """What `diffusion.evaluation.Sampler.guided`, as the probe "guidance", drew: what guidance makes of one noise."""
    seen = outcome.of("guidance")
    return image_grid(
        seen["grid"],
        row_labels=[f"{scale:g}" for scale in seen["scale"]],
        col_labels=range(seen["grid"].shape[1]),
        x_label="class asked for",
        y_label="guidance scale",
        title="Guidance, from the same noise",
    )
