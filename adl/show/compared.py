"""Models on one page, a row each: their samples, and what `measure.side_by_side`, as the probe "compare", says."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.names import dots
from adl.show.panels import Panel, page
from adl.show.style import Draw, of

DISTANCES = {
    "frechet": "Fréchet distance, pixels",
    "kernel": "kernel distance, pixels",
    "frechet_features": "Fréchet distance, features",
    "kernel_features": "kernel distance, features",
    "nearest": "distance to training pictures,\nover that of test pictures",
}
SHARES = {
    "two_sample_data": "data taken for data\n(0.5: chance)",
    "two_sample_samples": "samples taken for samples\n(0.5: chance)",
    "precision": "precision, pixels",
    "recall": "recall, pixels",
    "class_accuracy": "class recognised",
}


def compared_samples(names: Sequence[str]) -> Draw:
    """Samples, a model a row.

    Args:
      names: R, of the models.
    """
    return of(image_grid, "compare/grid", row_labels=names, title="Samples")


def compared_numbers(
    names: Sequence[str], known: Mapping[str, np.ndarray], *, titles: Sequence[str] | None = None
) -> Draw:
    """A panel a number, a model a row: those known before, then distances, then shares.

    Of several runs their means, with bars of two standard errors.

    Args:
      names: R, of the models.
      known: by what stands below the panel, `[R]`; nan where a model has none.
      titles: R, what the page calls them; None: their names.
    """
    titles, whole = names if titles is None else titles, {"x_lim": (-0.03, 1.03)}

    def draw(outcome: Outcome) -> Figure:
        def told(what: str, **frame) -> Panel:
            found = [outcome.curve(f"compare/{name}_{what}")[1][-1:].reshape(-1) for name in names]
            runs = np.stack(np.broadcast_arrays(*(of if len(of) else np.nan for of in found)))  # [R, runs]
            error = runs.std(1, ddof=1) / np.sqrt(runs.shape[1]) if runs.shape[1] > 1 else None
            return dots(titles, {"": runs.mean(1)}, error=error, **frame)

        panels = [
            *(dots(titles, {"": of}, x_label=label) for label, of in known.items() if np.isfinite(of).any()),
            *(told(what, x_label=label) for what, label in DISTANCES.items()),
            *(told(what, x_label=label, **whole) for what, label in SHARES.items()),
        ]
        return page(*(panels[i : i + 4] for i in range(0, len(panels), 4)), size=(3.3, 2.9))(outcome)

    return draw


def beside_plain(names: Sequence[str]) -> Draw:
    """What `measure.side_by_side.against`, as the probe "samples", says of a model, and of those that it stands beside.

    Args:
      names: of the model, and of the others.
    """
    told = {"kernel": DISTANCES["kernel"], "kernel_random": "kernel distance, random features", **SHARES}
    del told["class_accuracy"]
    panels = [dots(names, {"": f"samples/{what}_each"}, x_label=label) for what, label in told.items()]
    return page(panels[:3], panels[3:], size=(3.3, 2.0))
