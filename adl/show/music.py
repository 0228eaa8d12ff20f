"""Music on paper: what sounds when, as rolls of a piano."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel


def piano_rolls(
    drawn: str, given: Mapping[str, np.ndarray], *, lowest: int, voices: Sequence[str] = (), shown: int = 2
) -> Draw:
    """Pieces: what sounds at each step, given ones above those that were drawn.

    Args:
      drawn: name of what was drawn, `[N, T, 4]` keys of voices, counted from 1, or `[N, T, K]` of which key sounds.
      given: the same `[T, ...]` of others, by what they are called.
      lowest: MIDI note of the first key.
      voices: names of the voices, each of which has a colour; empty: there are only keys.
      shown: of the drawn ones.
    """

    def draw(outcome: Outcome) -> Figure:
        made = {f"drawn from the model, {i + 1}": one for i, one in enumerate(outcome.arrays[drawn][:shown])}
        pieces = {**given, **made}
        figure, axes = panel(len(pieces), 1, size=(7.0, 1.7))
        for ax, (name, piece) in zip(axes[:, 0], pieces.items(), strict=True):
            for note, time, voice in _sounding(np.asarray(piece), bool(voices)):
                color = COLORS[voice % len(COLORS)]
                ax.barh(lowest + note, 1, left=time, height=0.9, color=color, linewidth=0)
            ends = range(36, 85, 12)
            ax.set_yticks(ends, [f"C{note // 12 - 1}" for note in ends])
            ax.set(title=name, ylim=(35, 84), xlim=(0, len(piece)), ylabel="note")
            ax.grid(axis="y", color="0.9")
            ax.set_axisbelow(True)
        axes[-1, 0].set_xlabel("step")
        for voice, name in enumerate(voices):
            axes[0, 0].plot([], [], "s", color=COLORS[voice], label=name)
        if voices:
            figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(voices))
        return figure

    return draw


def _sounding(piece: np.ndarray, are_voices: bool) -> list[tuple[int, int, int]]:
    """Key, step and voice of all that sounds."""
    if are_voices:
        return [(int(piece[t, v]) - 1, int(t), int(v)) for t, v in np.argwhere(piece > 0)]
    return [(int(k), int(t), 0) for t, k in np.argwhere(piece > 0)]
