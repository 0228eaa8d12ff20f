"""Boards: where a search looked, how strong a player became, how often it found the best move."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.style import COLORS, Draw, panel

MINE, THEIRS, BEST = COLORS[0], COLORS[1], COLORS[2]


def visited_boards(probe: str = "search", columns: int = 4) -> Draw:
    """Positions, and the simulations that went through each move: the more, the darker, or the taller above a column.

    The probe has "stones" `[N, H, W]`, 1 of the side to move and -1 of the other; "visits" `[N, A]` of the A = W
    columns or the A = H W squares; "optimal_moves" `[N, A]`, which moves are best; and "value" `[N]`. Numbers of best
    moves are green. What must be seen: the most visits stand at green numbers.

    Args:
      probe: its name.
      columns: of boards in the figure.
    """

    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of(probe)
        count = len(seen["stones"])
        rows = -(-count // columns)
        figure, axes = panel(rows, columns, size=(1.75, 2.0))
        for i, ax in enumerate(axes.ravel()):
            if i < count:
                _draw_board(ax, *(seen[name][i] for name in ("stones", "visits", "optimal_moves")))
                ax.set_title(f"value {seen['value'][i]:+.2f}", size="small", pad=3)
            else:
                ax.set_axis_off()
        figure.suptitle("Simulations of each move; to move: blue; best moves: green numbers")
        return figure

    return draw


def _draw_board(ax: Axes, stones: np.ndarray, visits: np.ndarray, optimal: np.ndarray) -> None:
    """Squares, stones, and the visits of moves: above columns, or in squares."""
    height, width = stones.shape
    share, falls = visits / max(visits.sum(), 1), len(visits) == width
    for row, column in np.ndindex(height, width):
        ax.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="0.8", linewidth=0.6))
        if stones[row, column]:
            color = MINE if stones[row, column] > 0 else THEIRS
            ax.add_patch(Circle((column + 0.5, row + 0.5), 0.4, color=color, linewidth=0))
    for action in np.flatnonzero(visits > 0):
        color = BEST if optimal[action] else "0.3"
        said = {"ha": "center", "va": "center", "size": 8, "weight": "bold", "color": color}
        if falls:
            tall = 2 * share[action]
            ax.add_patch(Rectangle((action + 0.2, -0.15 - tall), 0.6, tall, color="0.75", linewidth=0))
            ax.text(action + 0.5, -0.5 - tall, f"{visits[action]:.0f}", **said)
        else:
            row, column = divmod(int(action), width)
            ax.add_patch(Rectangle((column, row), 1, 1, color="0.5", alpha=0.7 * share[action], linewidth=0))
            ax.text(column + 0.5, row + 0.5, f"{visits[action]:.0f}", **said)
    top = -3.0 if falls else 0.0
    ax.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, top - 0.1), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def elo_curve(kept: Sequence[int], moves_a_step: int, probe: str = "elo") -> Draw:
    """Elo of a player's stages, by matches among themselves, over the moves of self-play; the first stage has 0.

    Args:
      kept: steps after which each stage was kept.
      moves_a_step: of self-play.
      probe: its name; it has "rating" `[K]`.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(4.4, 3.1))
        ax = axes[0, 0]
        moves = np.array(kept) * moves_a_step
        ax.plot(moves, outcome.arrays[f"{probe}/rating"], "o-", markersize=4)
        ax.set(xlabel="moves of self-play", ylabel="Elo above the first", xscale="log")
        ax.set_title("Stages against each other")
        ax.set_xticks(moves, [f"{count / 1000:.3g}k" for count in moves])
        ax.minorticks_off()
        return figure

    return draw


def best_moves(moves_a_step: int) -> Draw:
    """Share of positions in which one of the best moves is found, by the probes "search" and "network".

    Args:
      moves_a_step: of self-play.
    """
    return curves(
        {"with search": "search/optimal", "network alone": "network/optimal"},
        y_label="share of positions",
        title="A best move is found",
        x_label="moves of self-play (thousands)",
        x_unit=moves_a_step / 1000,
    )
