"""Bandits: what rules lost by when, beside the least that any good rule must lose, and whom they pulled."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled


def regrets(names: Mapping[str, str], *, bound: float, gaps: np.ndarray, pulls: np.ndarray) -> Draw:
    """Regret over the time's logarithm, where a good rule is a straight line; and pulls of each arm that is not best.

    Bands are two standard errors over the players. The metrics are "now/NAME_regret" and "now/NAME_error", the arrays
    "last/NAME" `[K]`, mean pulls. Of several seeds it is their mean.

    What must be seen: rules that end as steep as the dashed bound, which is about the slope in the long run, and those
    that bend away upwards.

    Args:
      names: `{label: NAME}`.
      bound: what the least regret grows by, a nat of log time.
      gaps: `[K]` what an arm pays less than the best.
      pulls: `[K]` by which the least pulls of each arm grow, a nat of log time.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(3.9, 3.1))
        left, right = axes[0]
        others, last = np.flatnonzero(gaps > 0), 1.0
        for shift, (color, (label, name)) in enumerate(zip(COLORS, names.items(), strict=False)):
            steps, regret = outcome.curve(f"now/{name}_regret")
            error = outcome.curve(f"now/{name}_error")[1]
            regret, error = (x.reshape(len(steps), -1).mean(-1) for x in (regret, error))
            left.plot(steps, regret, color=color, label=label)
            left.fill_between(steps, regret - 2 * error, regret + 2 * error, color=color, alpha=0.25, linewidth=0)
            place = np.arange(len(others)) + 0.16 * (shift - len(names) / 2)
            right.plot(place, outcome.arrays[f"last/{name}"][others], "o", color=color, markersize=4)
            last = steps[-1]
        times = np.geomspace(max(last / 100, 1), last, 50)
        left.plot(times, bound * np.log(times), "--", color="0.4", label="Lai and Robbins")
        look = {"xlabel": "pulls T", "ylabel": "regret (units of pay)", "title": "What was lost by then"}
        left.set(xscale="log", xlim=times[[0, -1]], ylim=(0, None), **look)
        left.legend()
        least = pulls[others] * np.log(last)
        right.hlines(least, np.arange(len(others)) - 0.4, np.arange(len(others)) + 0.4, color="0.4", linestyle="--")
        right.set_xticks(np.arange(len(others)), [f"{gap:.2g}" for gap in gaps[others]])
        look = {"xlabel": "gap of an arm to the best", "ylabel": "pulls of it", "title": f"After {last:,.0f} pulls"}
        right.set(yscale="log", **look)
        return figure

    return styled(draw)
