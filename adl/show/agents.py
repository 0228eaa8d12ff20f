"""Agents: what their episodes return, how long these last, and what a policy does where."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.style import COLORS, Draw, panel


def returns(
    steps_a_step: int,
    *,
    solved: float,
    most: float,
    least: float = 0.0,
    kinds: Mapping[str, str] = {"last 100 episodes": "last/return"},
) -> Draw:
    """Return of the last 100 episodes over environment steps: of several seeds each, their mean and its error.

    Args:
      steps_a_step: environment steps of one step of the run.
      solved: the return from which on the task is called solved.
      most: the most there is.
      least: where the axis begins.
      kinds: `{name: metric}`, a curve each.
    """
    mean = curves(kinds, y_label="return, last 100 episodes", title="Return")

    def draw(outcome: Outcome) -> Figure:
        history = [{**row, "step": steps_a_step * row["step"]} for row in outcome.history]
        outcome = outcome._replace(history=history)
        figure = mean(outcome)
        ax = figure.axes[0]
        for name, color in zip(kinds.values(), COLORS, strict=False):
            steps, values = outcome.curve(name)
            if values.ndim == 2 and not outcome.settings:
                ax.plot(steps, values, color=color, alpha=0.4, linewidth=0.6)
        if len(kinds) == 1 and not outcome.settings and (reached := (values >= solved).any(0)).all():
            latest = steps[(values >= solved).argmax(0)].max()
            whose = f"by each of {reached.size} seeds" if reached.size > 1 else "reached"
            ax.set_title(f"{solved:g} {whose} within {latest / 1000:.0f}k steps")
        ax.axhline(solved, color="0.5", linewidth=0.8, linestyle=":")
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "top"}
        ax.text(0.98, solved - 0.012 * (most - least), "solved", color="0.4", size="small", **place)
        ax.set(xlabel="environment steps", ylim=(least, most + 0.03 * (most - least)))
        ax.xaxis.set_major_formatter(_thousands)
        if len(kinds) == 1 and not outcome.settings:
            ax.get_legend().remove()  # one curve, named by its axis
        return figure

    return draw


def lengths(num_envs: int, *, most: int, kinds: Mapping[str, str]) -> Draw:
    """Each training episode, up to the last 100 of each environment; and how many of 100 episodes last how long.

    Args:
      num_envs: environments side by side.
      most: steps, the longest episode.
      kinds: `{name: "probe/array"}` of lengths `[N]`, 0 for missing ones; the first in grey.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(3.6, 3.0))
        left, right = axes[0]
        seen = outcome.of("training")
        there = seen["times"] >= 0
        left.scatter(
            *(num_envs * seen["times"][there], seen["lengths"][there]), s=3, color=COLORS[0], alpha=0.35, linewidths=0
        )
        left.set(xlabel="environment steps", ylabel="length (steps)", title=f"{there.sum():,} training episodes")
        left.set(ylim=(0, 1.04 * most))
        left.xaxis.set_major_formatter(_thousands)
        for (name, array), color, line in zip(kinds.items(), ("0.5", *COLORS), ("-", "-", "--"), strict=False):
            kind = outcome.arrays[array][outcome.arrays[array] > 0]
            if len(kind):  # a step down where each episode ends
                at, share = np.append(0, np.sort(kind)), np.append(1, 1 - np.arange(len(kind)) / len(kind))
                at, share = np.append(at, at[-1]), np.append(share, 0)
                right.step(
                    at, 100 * share, where="pre", color=color, linestyle=line, label=f"{name}: {kind.mean():.0f}"
                )
        right.set(xlabel="length (steps)", ylabel="episodes that last so long (%)")
        right.set(title="100 episodes each, and their means", xlim=(0, 1.04 * most), ylim=(0, 104))
        right.legend(loc="center")
        return figure

    return draw


def policy_map(
    *,
    x: np.ndarray,
    y: np.ndarray,
    labels: tuple[str, str],
    place: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    action: tuple[str, float, float],
    played: str = "greedy",
    **_: Any,
) -> Draw:
    """What is done where in a plane of states, and what that is worth, by the probe "policy"; and an episode.

    Args:
      x: `[X]` of the states.
      y: `[Y]` of the states.
      labels: of both, with their units.
      place: where observations `[T, D]` lie, both `[T]`.
      action: what the number is that is shown, and its range.
      played: probe whose first episode is shown.
    """
    name, low, high = action

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(4.8, 3.6))
        ax, seen = axes[0, 0], outcome.of("policy")
        margin = 0.3 * (high - low)  # paler than the ends of the scale, for contours and dots to be seen on
        shades = {"cmap": "RdBu_r", "vmin": low - margin, "vmax": high + margin, "shading": "nearest"}
        image = ax.pcolormesh(x, y, seen["action"].T, rasterized=True, **shades)
        value = np.asarray(seen["value"], float).T
        if np.ptp(value) > 1e-6:
            levels = ax.contour(x, y, value, levels=5, colors="0.25", linewidths=0.5)
            ax.clabel(levels, fontsize=6, fmt="%.3g")
        ax.plot(*place(_episode(outcome, played)), ".", color="black", markersize=3, markeredgewidth=0, alpha=0.5)
        bar = figure.colorbar(image, ax=ax, label=name)
        bar.ax.set_ylim(low, high)
        bar.outline.set_visible(False)
        ax.set(xlabel=labels[0], ylabel=labels[1], xlim=x[[0, -1]], ylim=y[[0, -1]])
        ax.set_title("Policy; value (contours); an episode (dots)")
        return figure

    return draw


def episode_strip(
    kinds: Mapping[str, str],
    *,
    seconds: float,
    reach: tuple[tuple[float, float], tuple[float, float]],
    ground: Sequence[np.ndarray],
    moving: Callable[[np.ndarray], Sequence[np.ndarray]],
    **_: Any,
) -> Draw:
    """An episode of each kind as a strip of frames of a world that is drawn as lines.

    Args:
      kinds: `{title: probe}`.
      seconds: of a move; 0: frames are named by their moves.
      reach: of both axes.
      ground: lines `[J, 2]` that do not move.
      moving: lines of an observation `[D]`.
    """

    def draw(outcome: Outcome) -> Figure:
        num_frames = 7
        tall = np.diff(reach[1])[0] / np.diff(reach[0])[0]
        figure, axes = panel(len(kinds), num_frames, size=(1.4, 0.35 + 1.25 * min(tall, 1.2)))
        for row, (title, probe) in zip(axes, kinds.items(), strict=True):
            path = _episode(outcome, probe)
            total = outcome.arrays[f"{probe}/returns"][0]
            for ax, time in zip(row, np.linspace(0, len(path) - 1, num_frames).round().astype(int), strict=True):
                for line in ground:
                    ax.plot(*line.T, color="0.6", linewidth=0.8)
                for line, color in zip(moving(path[time]), ("0.25", *COLORS[1:]), strict=False):
                    ax.plot(*line.T, color=color, linewidth=2, solid_capstyle="round")
                ax.set(xlim=reach[0], ylim=reach[1], aspect="equal", xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
                ax.set_title(f"{seconds * time:.2f} s" if seconds else f"move {time}", size="small", pad=2)
            said = f"{title}\n{len(path)} moves\nreturn {total:.0f}"
            row[0].set_ylabel(said, size="small", rotation=0, ha="right", va="center")  # upright, long names meet
        figure.suptitle("An episode from beginning to end")
        return figure

    return draw


def _episode(outcome: Outcome, kind: str) -> np.ndarray:
    """Observations `[T, D]` of the first of the episodes, up to its end."""
    return outcome.arrays[f"{kind}/obs"][: outcome.arrays[f"{kind}/lengths"][0]]


def _thousands(value: float, _: int) -> str:
    """A tick's label: 100k."""
    return f"{value / 1000:g}k" if value else "0"
