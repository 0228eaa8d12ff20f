"""Robots that move in a plane: their limbs at instants of a walk, side by side in one picture, and as a film."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel

LIMBS = ("0.25", *3 * COLORS[:1], *3 * COLORS[1:2])  # the torso, and thigh, leg and foot of either side
AROUND = 1.1  # m that are seen at either side of a robot
HEIGHT = (-0.1, 1.95)  # m
Outline = Callable[[np.ndarray], Sequence[np.ndarray]]  # observation [D] -> lines [2, 2], its torso at x = 0
Along = Callable[[np.ndarray], np.ndarray]  # observations [T, D] -> where the torso is, [T] m


class Film(Figure):
    """A figure that is saved as its frames, one after the other, without end.

    Attributes:
      num_frames: >= 1.
      pause: between two, s.
      turn: `turn(frame)` changes what is drawn to that frame.
    """

    formats = ("gif",)
    num_frames: int = 1
    pause: float = 0.04
    turn: Callable[[int], None] = staticmethod(lambda frame: None)

    def savefig(self, fname: Any, **_: Any) -> None:
        """Writes a GIF."""
        canvas, frames = FigureCanvasAgg(self), []
        for frame in range(self.num_frames):
            self.turn(frame)
            canvas.draw()
            frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(32))
        frames[0].save(fname, "GIF", save_all=True, append_images=frames[1:], duration=round(1000 * self.pause), loop=0)


def gait_instants(
    kinds: Mapping[str, str], *, seconds: float, moving: Outline, way: Along, every: float = 0.16, shown: float = 2.4
) -> Draw:
    """The beginning of an episode of each kind: the robot at instants, where it was then.

    A robot that walks sets one foot before the other, its torso level; one that falls lies down where it began.

    Args:
      kinds: `{title: probe}` with "obs" `[T, D]` and "lengths", the first of which is that episode's.
      seconds: of a step.
      moving: what is drawn of it.
      way: where it is.
      every: s between instants.
      shown: s, at most.
    """

    def draw(outcome: Outcome) -> Figure:
        paths = {title: _path(outcome, probe)[: round(shown / seconds)] for title, probe in kinds.items()}
        reach = max(way(path)[-1] for path in paths.values()) + 0.8
        figure, axes = panel(len(kinds), size=(6.8, min(0.7 + 6.0 * 2.05 / (reach + 0.8), 3.0)))
        for ax, (title, path) in zip(axes[:, 0], paths.items(), strict=True):
            times = np.arange(0, len(path), max(round(every / seconds), 1))
            for time in times:
                fade = 0.3 + 0.7 * time / times[-1] if times[-1] else 1.0
                _limbs(ax, moving(path[time]), way(path)[time], alpha=fade)
            _ground(ax, (-0.8, reach))
            total, length = (outcome.arrays[f"{kinds[title]}/{name}"][0] for name in ("returns", "lengths"))
            ax.set_title(f"{title}: {seconds * len(path):.1f} s of {seconds * length:.1f} s, return {total:,.0f}")
        ax.set_xlabel(f"way (m); an instant every {every:g} s, the last darkest")
        return figure

    return draw


def gait_film(title: str, probe: str, *, seconds: float, moving: Outline, way: Along, shown: float = 5.0) -> Draw:
    """The beginning of an episode, in its own time, by an eye that goes along; the way's marks go by below.

    Args:
      title: of the film.
      probe: as of `gait_instants`.
      seconds: of a step.
      moving: what is drawn.
      way: where the robot is.
      shown: s, at most.
    """

    def draw(outcome: Outcome) -> Film:
        path = _path(outcome, probe)[: round(shown / seconds)]
        x, stride = way(path), max(round(Film.pause / seconds), 1)
        film, axes = panel(size=(3.4, 3.1), kind=Film)
        ax = axes[0, 0]
        drawn = _limbs(ax, moving(path[0]), 0.0, width=5)
        ax.set(xlabel="way (m)", xticks=np.arange(np.floor(x.min()) - 2, x.max() + 3, 0.5))

        def turn(frame: int) -> None:
            time = stride * frame
            for line, limb in zip(drawn, moving(path[time]), strict=True):
                line.set_data(limb[:, 0] + x[time], limb[:, 1])
            _ground(ax, (x[time] - AROUND, x[time] + AROUND))
            ax.set_title(f"{title}, {seconds * time:.2f} s")

        turn(0)
        film.num_frames, film.turn = len(range(0, len(path), stride)), turn
        return film

    return draw


def _path(outcome: Outcome, probe: str) -> np.ndarray:
    return outcome.arrays[f"{probe}/obs"][: outcome.arrays[f"{probe}/lengths"][0]]


def _limbs(ax: Axes, lines: Sequence[np.ndarray], x: float, *, alpha: float = 1.0, width: float = 2.5) -> list[Any]:
    """The lines, drawn where the torso is at x."""
    look = {"linewidth": width, "solid_capstyle": "round", "alpha": alpha}
    return [ax.plot(x + y[:, 0], y[:, 1], color=c, **look)[0] for y, c in zip(lines, LIMBS, strict=False)]


def _ground(ax: Axes, between: tuple[float, float]) -> None:
    if not ax.collections:
        ax.axhspan(HEIGHT[0], 0, color="0.85", linewidth=0)
    ax.set(xlim=between, ylim=HEIGHT, aspect="equal", ylabel="height (m)")
