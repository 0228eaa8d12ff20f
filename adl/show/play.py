"""Agents that play: what their episodes returned over their moves, and an episode on a grid, move by move."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.style import COLORS, Draw, panel

GREYS = ("0.35", "0.5", "0.65", "0.8")  # of more things than there are colours


def play_returns(
    title: str,
    moves: int,
    *,
    of: Mapping[str, str] = {"last 100 episodes": "last/return"},
    trained: tuple[str, str] = ("best action", "best/return"),
    y_label: str = "return",
) -> Draw:
    """Return of training episodes over moves; how a random player and what was trained do in new ones, dotted.

    Args:
      title: of the figure.
      moves: of all copies, a step.
      of: `{name: metric}` of the episodes in training.
      trained: name and metric of the player that was trained.
      y_label: what is returned.
    """
    name, metric = trained
    return curves(
        of,
        y_label=y_label,
        title=title,
        references={f"{name} {{:,.4g}}": metric, "random {:,.4g}": "uniform/return"},
        x_label="moves",
        x_unit=moves,
    )


def grid_episodes(kinds: Mapping[str, str], things: Sequence[str]) -> Draw:
    """An episode of each kind as a strip of frames: the first of the things that are at a place gives its colour.

    Args:
      kinds: `{title: probe}`, of `rl.evaluation.episodes` with observations `[H, W, C]` boolean.
      things: C names, those in front first.
    """
    colors = [*COLORS[: len(things)], *GREYS[: max(0, len(things) - len(COLORS))]]

    def draw(outcome: Outcome) -> Figure:
        num_frames = 7
        figure, axes = panel(len(kinds), num_frames, size=(1.1, 1.2))
        for ax in axes.flat:
            ax.set_axis_off()
        for row, (title, probe) in zip(axes, kinds.items(), strict=True):
            path = outcome.arrays[f"{probe}/obs"][: outcome.arrays[f"{probe}/lengths"][0]]
            for ax, time in zip(
                row, np.unique(np.linspace(0, len(path) - 1, num_frames).round().astype(int)), strict=False
            ):
                ax.set_axis_on()
                there = path[time].any(-1)
                shown = np.where(there, path[time].argmax(-1) + 1, 0)
                ax.imshow(shown, cmap=ListedColormap(["0.95", *colors]), vmin=0, vmax=len(colors))
                ax.set_title(f"move {time}", size="small", pad=2)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            row[0].set_ylabel(title, size="small")
        patches = [Patch(color=color, label=name) for name, color in zip(things, colors, strict=True)]
        figure.legend(handles=patches, loc="outside lower center", ncols=4, fontsize="small")
        return figure

    return draw


def played_frames(kinds: Mapping[str, str]) -> Draw:
    """A game of each kind as a strip of its frames, in shades of grey, and what it scored.

    Args:
      kinds: `{title: probe}`, of `rl.environment.atari.scores`.
    """

    def draw(outcome: Outcome) -> Figure:
        frames = {title: outcome.of(probe) for title, probe in kinds.items()}
        figure, axes = panel(len(kinds), len(next(iter(frames.values()))["frames"]), size=(1.2, 1.4))
        for row, (title, seen) in zip(axes, frames.items(), strict=True):
            for ax, frame, move in zip(row, seen["frames"], seen["moves"], strict=True):
                ax.imshow(frame, cmap="gray", vmin=0, vmax=255)
                ax.set_title(f"move {move}", size="small", pad=2)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            row[0].set_ylabel(f"{title}\nscore {seen['returns'][0]:.0f}", size="small")
        return figure

    return draw
