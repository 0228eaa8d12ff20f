"""Energies: what they tell apart, the ways down, and what data and chains have while they are learned."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.names import Names, called
from adl.show.style import COLORS, Draw, panel, styled


@styled
def energies(outcome: Outcome) -> Figure:
    """What `energy.evaluation.Descent.energies`, as the probe "energies", found, as histograms; of noise in numbers."""
    figure, axes = panel(size=(5.2, 3.1))
    ax, seen = axes[0, 0], outcome.of("energies")
    groups = {"training pictures": seen["train"], "test pictures": seen["test"], "samples": seen["samples"]}
    # Noise lies far above: its energies would squeeze the others into one bar.
    bins = np.linspace(*np.quantile(np.concatenate(list(groups.values())), (0.002, 0.998)), 50)
    for (name, values), color in zip(groups.items(), COLORS, strict=False):
        ax.hist(values, bins, density=True, histtype="step", color=color, linewidth=1.4, label=name)
    ax.plot([], [], " ", label=f"noise: {np.mean(seen['noise']):.3g} ± {np.std(seen['noise']):.2g}")
    ax.set(xlabel="E(x, y), less the mean of the class's training pictures", ylabel="density", title="Energies")
    ax.legend()
    return figure


def descent(names: Names = ()) -> Draw:
    """What `energy.evaluation.Descent.path`, as the probe "path", drew: chains on their way down.

    Args:
      names: of the classes.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("path")
        return image_grid(
            seen["grid"],
            row_labels=called(seen["label"], names),
            col_labels=seen["step"],
            x_label="Langevin steps",
            y_label="class asked for",
            title="From noise to a picture",
        )

    return draw
