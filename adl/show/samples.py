"""Samples of a generative model, by class, and beside the data most like them."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.images import image_grid, inked


def by_class(outcome: Outcome) -> Figure:
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


def beside_data(drawn: np.ndarray, data: np.ndarray, *, title: str) -> Figure:
    """Samples above data, as one prints them.

    Args:
      drawn: `[R, C, H, W, 1 or 3]` in [0, 1].
      data: `[S, C, H, W, 1 or 3]`.
      title: of the figure.
    """
    rows = ["drawn"] * len(drawn) + ["data"] * len(data)
    return image_grid(inked(np.concatenate([drawn, data])), row_labels=rows, title=title)


def fidelity(outcome: Outcome) -> Figure:
    """How the same probe judged while the model learned: whether samples are told from data, and classes recognised."""
    accuracies = {
        "samples told from data (0.5: chance)": "samples/two_sample_accuracy",
        "class recognised": "samples/class_accuracy",
    }
    return curves(accuracies, y_label="accuracy", title="Samples, judged by nearest neighbours")(outcome)


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


def interpolation(outcome: Outcome) -> Figure:
    """What `measure.latents.arc`, as the probe "arc", drew: from one latent to another, a class a row."""
    seen = outcome.of("arc")
    return image_grid(
        seen["grid"],
        row_labels=range(len(seen["grid"])),
        col_labels=[f"{angle:.0f}°" for angle in seen["degrees"]],
        x_label="angle between two latents",
        y_label="class asked for",
        title="Samples along an arc of latents",
    )
