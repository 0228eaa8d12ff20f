"""What a model of pixels drew: whole pictures, and the lower halves of others."""

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid


def pixel_samples(outcome: Outcome) -> Figure:
    """What `measure.samples.judged_samples`, as the probe "samples", drew of a model that is asked for no class."""
    return image_grid(outcome.of("samples")["grid"], title="Samples")


def completed_halves(outcome: Outcome) -> Figure:
    """What `pixel.evaluation.Painter.completions`, as the probe "completion", drew.

    The upper halves of a column are alike; below they differ, as digits do that begin alike.
    """
    grid = outcome.of("completion")["grid"]
    rows = ["test", "known", *["completed"] * (len(grid) - 2)]
    return image_grid(grid, row_labels=rows, title="Pictures completed from their upper halves")
