"""Samples of a generative model, by class, and beside the data most like them."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.images import image_grid
from adl.show.names import Names, called
from adl.show.style import Draw

ASKED = "class asked for"


def by_class(names: Names = ()) -> Draw:
    """What `measure.samples.judged_samples`, as the probe "samples", drew: samples by class.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("samples")
        return image_grid(seen["grid"], row_labels=called(seen["label"], names), y_label=ASKED, title="Samples")

    return draw


def nearest(names: Names = ()) -> Draw:
    """The same probe's samples beside the training images most like them: alike, not copies.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("samples")
        pair = [seen[name][:, :3].swapaxes(0, 1) for name in ("grid", "nearest")]
        return image_grid(
            np.stack(pair, 1).reshape(-1, *pair[0].shape[1:]),
            row_labels=["sample", "nearest"] * len(pair[0]),
            col_labels=called(seen["label"], names),
            x_label=ASKED,
            title="Samples, and the training image nearest to each",
        )

    return draw


def pictures(array: str, *, title: str) -> Draw:
    """Pictures in rows and columns.

    Args:
      array: name of `[R, C, H, W, C]` in [0, 1], as "samples/images".
      title: above them.
    """
    return lambda outcome: image_grid(outcome.arrays[array], title=title)


def beside_data(drawn: np.ndarray, data: np.ndarray, *, title: str) -> Figure:
    """Samples above data.

    Args:
      drawn: `[R, C, H, W, 1 or 3]` in [0, 1].
      data: `[S, C, H, W, 1 or 3]`.
      title: of the figure.
    """
    rows = ["drawn"] * len(drawn) + ["data"] * len(data)
    return image_grid(np.concatenate([drawn, data]), row_labels=rows, title=title)


def fidelity(outcome: Outcome) -> Figure:
    """How the same probe judged while the model learned: whether samples are told from data, and classes recognised."""
    shares = {
        "data taken for data (0.5: chance)": "samples/two_sample_data",
        "samples taken for samples (0.5: chance)": "samples/two_sample_samples",
        "class recognised": "samples/class_accuracy",
    }
    return curves(shares, y_label="share", title="Samples, judged by nearest neighbours")(outcome)


def denoising(names: Names = ()) -> Draw:
    """What `diffusion.evaluation.Sampler.path`, as the probe "path", saw: from noise to data, and how it was read.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("path")
        return image_grid(
            np.stack([seen["state"], seen["seen"]], 1).reshape(-1, *seen["state"].shape[1:]),
            row_labels=[f"{name}: {what}" for name in called(seen["label"], names) for what in ("x", "D(x; σ)")],
            col_labels=[f"{sigma:.2g}" for sigma in seen["sigma"]],
            x_label="noise level σ",
            title="From noise to a picture",
        )

    return draw


def guidance(names: Names = ()) -> Draw:
    """What `diffusion.evaluation.Sampler.guided`, as the probe "guidance", drew: what guidance makes of one noise.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("guidance")
        return image_grid(
            seen["grid"],
            row_labels=[f"{scale:g}" for scale in seen["scale"]],
            col_labels=called(seen["label"], names),
            x_label=ASKED,
            y_label="guidance scale",
            title="Guidance, from the same noise",
        )

    return draw


def interpolation(names: Names = ()) -> Draw:
    """What `measure.latents.arc`, as the probe "arc", drew: from one latent to another, a class a row.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("arc")
        return image_grid(
            seen["grid"],
            row_labels=called(seen["label"], names),
            col_labels=[f"{angle:.0f}°" for angle in seen["degrees"]],
            x_label="angle between two latents",
            y_label=ASKED,
            title="Samples along an arc of latents",
        )

    return draw
