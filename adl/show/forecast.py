"""Forecasts of series: bands of quantiles beside what came, and how wrong they are at each step ahead."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.names import MARKS
from adl.show.style import COLORS, Draw, panel, styled

PALE = (0.18, 0.35)  # of the outermost quantiles, and of the middle half


def forecast_bands(names: Mapping[str, str], *, past: np.ndarray, future: np.ndarray, num_shown: int = 3) -> Draw:
    """Some windows, a row each, and what is forecast of them, a column a way: medians in bands of quantiles.

    What must be seen: whether what came stays within the bands, and whether these widen where nothing can be known.

    Args:
      names: what each way is called, by the NAME of its array "test/NAME_quantiles" `[N, H, Q]`.
      past: `[N, C]` what was seen.
      future: `[N, H]` what came.
      num_shown: windows, evenly through all.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        rows = np.linspace(0, len(past) - 1, min(num_shown, len(past)) + 2).astype(int)[1:-1] if len(past) > 2 else [0]
        before, ahead = np.arange(-past.shape[1] + 1, 1), np.arange(future.shape[1] + 1)
        figure, axes = panel(len(rows), len(names), size=(3.0, 1.6))
        keys = {}
        for line, row in zip(axes, rows, strict=True):
            joined = np.concatenate([past[row, -1:], future[row]])
            for ax, (name, called) in zip(line, names.items(), strict=True):
                told = np.sort(outcome.arrays[f"test/{name}_quantiles"][row], -1)
                told = np.concatenate([np.full_like(told[:1], past[row, -1]), told]).T  # [Q, H + 1]
                num = len(told)
                ends = {f"{1 - 1 / num:.0%}": (0, num - 1), "half": (num // 4, num - 1 - num // 4)}
                for (share, (low, high)), alpha in zip(ends.items(), PALE, strict=True):
                    look = {"color": COLORS[0], "alpha": alpha, "linewidth": 0}
                    keys[f"forecast, {share}"] = ax.fill_between(ahead, told[low], told[high], **look)
                (keys["median"],) = ax.plot(ahead, np.median(told, 0), color=COLORS[0])
                (keys["seen"],) = ax.plot(before, past[row], color="0.3", linewidth=1)
                (keys["what came"],) = ax.plot(ahead, joined, color=COLORS[1], linewidth=1, linestyle="--")
                if ax in axes[0]:
                    ax.set_title(called)
                if ax in axes[-1]:
                    ax.set_xlabel("steps after the last that is seen")
            line[0].set_ylabel("value")
            for ax in line[1:]:
                ax.sharey(line[0])
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=len(keys))
        return figure

    return draw


def forecasts_by_step(names: Mapping[str, str], *, future: np.ndarray) -> Draw:
    """CRPS and coverage at each step ahead, a line a way of forecasting.

    What must be seen: how fast errors grow, and whether the share of what came between the outermost quantiles stays at
    the dotted line.

    Args:
      names: as in `forecast_bands`.
      future: `[N, H]` what came.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(3.6, 2.8))
        keys, ahead = {}, 1 + np.arange(future.shape[1])
        for i, (name, called) in enumerate(names.items()):
            told = np.sort(outcome.arrays[f"test/{name}_quantiles"], -1)
            num = told.shape[-1]
            above, level = future[..., None] - told, (np.arange(num) + 0.5) / num
            score = 2 * np.maximum(level * above, (level - 1) * above).mean((0, 2))  # the CRPS of `measure.forecast`
            is_between = (told[..., 0] <= future) & (future <= told[..., -1])
            look = {"color": COLORS[i % len(COLORS)], "marker": MARKS[i % len(MARKS)], "markersize": 3}
            (keys[called],) = axes[0, 0].plot(ahead, score, **look)
            axes[0, 1].plot(ahead, is_between.mean(0), **look)
        wanted = 1 - 1 / num
        axes[0, 1].axhline(wanted, color="0.4", linestyle=":", linewidth=1)
        axes[0, 0].set(xlabel="steps ahead", ylabel="CRPS (unit of the series)", ylim=(0, None))
        low = min(axes[0, 1].get_ylim()[0], 2 * wanted - 1)
        axes[0, 1].set(xlabel="steps ahead", ylabel=f"share within the {wanted:.0%} band", ylim=(low, 1))
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=min(len(keys), 4))
        return figure

    return draw
