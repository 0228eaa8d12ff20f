"""Cost: quality by the number of evaluations that samples take, and the samples."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.line import Line, lines
from adl.show.panels import page
from adl.show.style import Draw

PANELS = {  # metric -> what its panel says, and how its axis runs
    "frechet": {"title": "Fréchet distance", "y_scale": "log"},
    "two_sample_data": {"title": "Data taken for data (0.5: chance)", "y_lim": (0, 1.02)},
    "two_sample_samples": {"title": "Samples taken for samples (0.5: chance)", "y_lim": (0, 1.02)},
}


def quality_by_cost(probe: str, ways: Mapping[str, str], others: Sequence[str], *, counts: Sequence[int]) -> Draw:
    """Each number over the evaluations, a colour a way, with bars of two standard errors; dotted what needs none.

    Curves must fall to the level of training pictures, each sooner the better its way.

    Args:
      probe: that returned what `diffusion.cost.by_evaluations` gives.
      ways: titles by their names.
      others: names of what else was judged.
      counts: numbers of evaluations.
    """
    panels = [
        lines(
            f"{probe}/evaluations",
            *(
                Line(f"{probe}/{name} {metric}", title, "o-", error=f"{probe}/{name} {metric} error")
                for name, title in ways.items()
            ),
            **{"x_scale": "log", "x_ticks": counts, **frame},
            horizontals={name: f"{probe}/{name} {metric}" for name in others},
        )
        for metric, frame in PANELS.items()
    ]
    return page(panels, size=(3.5, 3.0), x_label="evaluations of the network a sample")


def samples_by_cost(probe: str, ways: Mapping[str, str]) -> Draw:
    """Samples of the same noise, in rows by way and evaluations: few are smooth or broken, many are digits.

    Args:
      probe: as in `quality_by_cost`.
      ways: titles by their names.
    """

    def draw(outcome: Outcome) -> Figure:
        counts = outcome.of(probe)["evaluations"]
        rows = [f"{title}, {count}" for title in ways.values() for count in counts]
        return image_grid(outcome.of(probe)["grid"], row_labels=rows, title="Samples by number of evaluations")

    return draw
