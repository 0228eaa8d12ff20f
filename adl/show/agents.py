"""Agents: what their episodes return, how long these last, and what a policy does where."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.style import COLORS, Draw, panel


def returns(steps_a_step: int, *, solved: float, most: float) -> Draw:
    """Return of the last 100 episodes, "last/return", over environment steps: the seeds, their mean and its error.

    Args:
      steps_a_step: environment steps of one step of the run.
      solved: the return from which on the task is called solved.
      most: the most there is.
    """
    mean = curves({"last 100 episodes": "last/return"}, y_label="return, last 100 episodes", title="Return")

    def draw(outcome: Outcome) -> Figure:
        history = [{**row, "step": steps_a_step * row["step"]} for row in outcome.history]
        outcome = outcome._replace(history=history)
        figure = mean(outcome)
        ax = figure.axes[0]
        steps, values = outcome.curve("last/return")
        if values.ndim == 2 and not outcome.settings:
            ax.plot(steps, values, color=COLORS[0], alpha=0.4, linewidth=0.6)
        if not outcome.settings and (reached := (values >= solved).any(0)).all():
            latest = steps[(values >= solved).argmax(0)].max()
            whose = f"by each of {reached.size} seeds" if reached.size > 1 else "reached"
            ax.set_title(f"{solved:g} {whose} within {latest / 1000:.0f}k steps")
        ax.axhline(solved, color="0.5", linewidth=0.8, linestyle=":")
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "top"}
        ax.text(0.98, solved - 0.012 * most, "solved", color="0.4", size="small", **place)
        ax.set(xlabel="environment steps", ylim=(0, 1.03 * most))
        ax.xaxis.set_major_formatter(_thousands)
        if not outcome.settings:
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


def pole_policy(angle: np.ndarray, spin: np.ndarray) -> Draw:
    """Which way a cart in the middle is pushed, and what that is worth, by the probe "policy"; an episode of "greedy".

    Args:
      angle: `[A]` of the pole, in rad.
      spin: `[W]` its angular velocity, in rad/s.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(4.6, 3.6))
        ax, degrees, seen = axes[0, 0], np.degrees(angle), outcome.of("policy")
        shades = {"cmap": "RdBu_r", "vmin": -0.6, "vmax": 1.6, "shading": "nearest", "rasterized": True}
        image = ax.pcolormesh(degrees, spin, seen["right"], **shades)
        levels = ax.contour(degrees, spin, seen["value"], levels=4, colors="0.25", linewidths=0.5)
        ax.clabel(levels, fontsize=6, fmt="%.0f")
        path = _episode(outcome, "greedy")
        ax.plot(np.degrees(path[:, 2]), path[:, 3], ".", color="black", markersize=3, markeredgewidth=0, alpha=0.5)
        bar = figure.colorbar(image, ax=ax, label="probability of a push to the right")
        bar.ax.set_ylim(0, 1)
        bar.outline.set_visible(False)
        ax.set(xlabel="angle (degrees)", ylabel="angular velocity (rad/s)")
        ax.set(title="Policy; value (contours); an episode (dots)", xlim=degrees[[0, -1]], ylim=spin[[0, -1]])
        return figure

    return draw


def pole_episodes(kinds: Mapping[str, str], *, reach: float, length: float, seconds: float) -> Draw:
    """An episode of each kind as a strip of frames of a cart and its pole.

    Args:
      kinds: `{title: probe}`.
      reach: half the track, in m.
      length: of the pole, in m.
      seconds: of a step.
    """

    def draw(outcome: Outcome) -> Figure:
        num_frames = 7
        figure, axes = panel(len(kinds), num_frames, size=(1.4, 0.95))
        for row, (title, probe) in zip(axes, kinds.items(), strict=True):
            path = _episode(outcome, probe)
            for ax, time in zip(row, np.linspace(0, len(path) - 1, num_frames).round().astype(int), strict=True):
                _draw_pole(ax, path[time], reach=reach, length=length)
                ax.set_title(f"{seconds * time:.2f} s", size="small", pad=2)
            row[0].set_ylabel(f"{title}\n{len(path)} steps", size="small")
        figure.suptitle("An episode from beginning to end")
        return figure

    return draw


def _draw_pole(ax: Axes, obs: Sequence[float], *, reach: float, length: float) -> None:
    """A cart on its track and the pole on the cart, in metres, at position, velocity, angle, angular velocity."""
    x, _, angle, _ = obs
    width, height = 0.5, 0.3
    ax.plot([-reach, reach], [0, 0], color="0.6", linewidth=0.8)
    ax.vlines([-reach, reach], -0.08, 0.08, color="0.6", linewidth=0.8)
    ax.add_patch(Rectangle((x - width / 2, 0.04), width, height, color="0.25", linewidth=0))
    tip = x + length * np.sin(angle), height + length * np.cos(angle)
    ax.plot([x, tip[0]], [height, tip[1]], color=COLORS[1], linewidth=2.5, solid_capstyle="round")
    ax.set(xlim=(-reach - 0.3, reach + 0.3), ylim=(-0.2, 1.45), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _episode(outcome: Outcome, kind: str) -> np.ndarray:
    """Observations `[T, 4]` of the first of the episodes, up to its end."""
    return outcome.arrays[f"{kind}/obs"][: outcome.arrays[f"{kind}/lengths"][0]]


def _thousands(value: float, _: int) -> str:
    """A tick's label: 100k."""
    return f"{value / 1000:g}k" if value else "0"
