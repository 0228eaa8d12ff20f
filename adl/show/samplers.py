"""Samplers side by side, each on several densities of the plane, as a probe returned their draws.

Its arrays "method_density" are draws `[C, N, 2]` of C chains, or `[N, 2]`; its metrics "method_density_z" and
"method_density_rhat" are as in `sampling.diagnostics.judged`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.chains import AGREED, cloud, trace
from adl.show.names import marks
from adl.show.panels import page
from adl.show.style import Draw

Contours = tuple[np.ndarray, np.ndarray, np.ndarray]  # places [G] and [H], and the log-density [H, G] there
SHOWN = 1e-5, 1e3  # what is beyond stands at the end


def clouds(
    methods: Mapping[str, str], densities: Mapping[str, Contours], *, probe: str = "draws", num: int = 2000
) -> Draw:
    """Draws of each method, a column, over the lines of each density, a row.

    Args:
      methods: what each is called in the figure.
      densities: their lines.
      probe: that returned the draws.
      num: of draws that are drawn, evenly through all.
    """

    def panel(method: str, density: str):
        frame = {"title": methods[method]} if density == next(iter(densities)) else {}
        frame |= {"y_label": f"{density}\n$x_1$"} if method == next(iter(methods)) else {}
        return cloud(f"{probe}/{method}_{density}", densities[density], num=num, **frame)

    rows = [[panel(method, density) for method in methods] for density in densities]
    title = f"{num:,} of the draws, over contours of the density"
    return page(*rows, size=(1.45, 1.5), x_label="$x_0$", title=title)


def first_coordinates(
    methods: Mapping[str, str],
    densities: Mapping[str, tuple[float, float]],
    *,
    probe: str = "draws",
    num_chains: int = 3,
    num_draws: int = 500,
) -> Draw:
    """The first coordinate of some chains, draw after draw: a method a row, a density a column.

    Args:
      methods: what each is called in the figure.
      densities: between which values each is shown.
      probe: that returned the draws.
      num_chains: that are drawn.
      num_draws: of each, from its first.
    """

    def panel(method: str, density: str):
        name = f"{probe}/{method}_{density}"
        frame = {"title": density} if method == next(iter(methods)) else {}
        frame |= {"y_label": f"{methods[method]}\n$x_0$"} if density == next(iter(densities)) else {}
        few = {"num_chains": num_chains, "num_draws": num_draws}
        return trace(name, **few, note=f"R-hat {{{name}_rhat:.3f}}", y_lim=densities[density], **frame)

    rows = [[panel(method, density) for density in densities] for method in methods]
    return page(*rows, size=(3.2, 0.95), x_label="draw after the warm-up", title=f"{num_chains} of the chains")


def moments(methods: Mapping[str, str], densities: Sequence[str], *, probe: str = "draws") -> Draw:
    """How far off the known moments are, and whether the chains agree.

    Args:
      methods: what each is called in the figure.
      densities: their names.
      probe: that judged the draws.
    """

    def draw(outcome: Outcome) -> Figure:
        def found(what: str, less: float = 0.0) -> dict[str, np.ndarray]:
            values = {d: [outcome.last(f"{probe}/{m}_{d}_{what}") - less for m in methods] for d in densities}
            return {name: np.clip(np.nan_to_num(row, nan=np.inf), *SHOWN) for name, row in values.items()}

        names = [title.replace("\n", " ") for title in methods.values()]
        error = {"x_label": "largest error of a moment (Monte-Carlo standard errors)", "verticals": {"": 4.0}}
        apart = {"x_label": "split R-hat - 1", "verticals": {"": AGREED - 1}}
        panels = [
            marks(names, found("z"), x_scale="log", **error),
            marks([""] * len(names), found("rhat", 1.0), x_scale="log", **apart),
        ]
        size = (3.8, 0.8 + 0.33 * len(names))
        title = "Two means and two variances beside the truth; dotted: 4 and 0.01"
        return page(panels, size=size, legend="right", title=title)(outcome)

    return draw
