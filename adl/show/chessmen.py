"""Chess: moments of a game on its board, and what players win from each other."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from adl.run.experiment import Outcome
from adl.show.line import Line, lines
from adl.show.names import dots
from adl.show.panels import Panel, page
from adl.show.style import COLORS, Draw, panel

MEN = "·♟♞♝♜♛♚"  # of both sides: white's are white with a dark edge


def chess_moments(title: str, *, unit: str, probe: str = "games", columns: int = 4) -> Draw:
    """Eight moments of a game, evenly through it, and who is ahead by how much.

    The probe has "boards" `[T, H, W]`, ranks from the top, white's men 1 to 6 (pawn, knight, bishop, rook, queen, king)
    and black's negative; and "lead" `[T]` in pawns, of white.

    Args:
      title: of the figure.
      unit: of the lead.
      probe: its name.
      columns: of boards in the figure.
    """

    def draw(outcome: Outcome) -> Figure:
        boards, lead = outcome.arrays[f"{probe}/boards"], outcome.arrays[f"{probe}/lead"]
        times = np.linspace(0, len(boards) - 1, 2 * columns).round().astype(int)
        figure, axes = panel(2, columns, size=(1.7, 1.9))
        for ax, time in zip(axes.flat, times, strict=True):
            _, width = boards[time].shape
            ax.imshow(np.indices(boards[time].shape).sum(0) % 2, cmap="Greys", vmin=-0.3, vmax=2.4)
            for row, column in zip(*np.nonzero(boards[time]), strict=True):
                man = int(boards[time, row, column])
                _man(ax, row, column, MEN[abs(man)], is_white=man > 0, size=70 / width)
            ax.set_title(f"move {time // 2 + 1}: {round(float(lead[time])):+d}", size="small", pad=3)
            ax.set(xticks=[], yticks=[])
        figure.suptitle(f"{title}: white's lead in {unit}")
        return figure

    return draw


def _man(ax, row: int, column: int, sign: str, *, is_white: bool, size: float) -> None:
    """A man: the same sign for both sides, filled white or black."""
    edge = withStroke(linewidth=1.2, foreground="black" if is_white else "white")
    place = {"ha": "center", "va": "center_baseline", "fontsize": size, "family": "DejaVu Sans"}
    ax.text(column, row + 0.02, sign, color="white" if is_white else "black", path_effects=[edge], **place)


def struggle_gains(
    pairs: Sequence[tuple[str, str]], titles: Mapping[str, str], *, unit: str, probe: str = "games"
) -> Draw:
    """What players win from each opponent: at the end with two standard errors, and over the moves.

    Args:
      pairs: P of the probe: who, against whom.
      titles: what players are called.
      unit: of what is won.
      probe: its name, as of `rl.match.struggles`.
    """
    opponents, colors = list(dict.fromkeys(other for _, other in pairs)), dict(zip(titles, COLORS, strict=False))

    def draw(outcome: Outcome) -> Figure:
        gain, error, course = (outcome.arrays[f"{probe}/{name}"] for name in ("gain", "error", "course"))
        moves = np.arange(1, course.shape[1] + 1) / 2

        def panels(opponent: str) -> list[Panel]:
            rows = [i for i, (_, other) in enumerate(pairs) if other == opponent]
            names = [titles[pairs[i][0]] for i in rows]
            whom = f"against {titles[opponent]}"
            last = {"title": whom, "x_label": f"gain after {moves[-1]:.0f} moves of each side ({unit})"}
            ended = dots(names, {"": gain[rows]}, error=error[rows], verticals={"": 0.0}, **last)
            labelled = [Line(course[i], titles[pairs[i][0]], color=colors[pairs[i][0]]) for i in rows]
            frame = {"title": whom, "horizontals": {"": 0.0}}
            return [ended, lines(moves, *labelled, x_label="moves of each side", y_label=f"gain ({unit})", **frame)]

        return page(*(panels(opponent) for opponent in opponents), size=(3.6, 2.4))(outcome)

    return draw
