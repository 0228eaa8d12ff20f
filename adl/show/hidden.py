"""Hidden states: what each says, who said what, and what is known of a casino's die."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled


@styled
def letters(
    emission: np.ndarray, smoothed: np.ndarray, *, names: Sequence[str], first: np.ndarray, line: np.ndarray
) -> Figure:
    """What each state says, and which state each letter of a line is believed to come from.

    Args:
      emission: `[K, L]` p(letter | state).
      smoothed: `[T, K]` p(state | text).
      names: of the L letters.
      first: `[L]` whether the first state is to be the one that says most of these.
      line: `[>= T]` the text, as numbers of letters.
    """
    order = np.argsort(-emission[:, first].sum(1))
    figure, axes = panel(2, 1, size=(7.2, 2.2))
    top, bottom = axes[:, 0]
    width, place = 0.8 / len(order), np.arange(len(names))
    for i, k in enumerate(order):
        color = COLORS[i % len(COLORS)]
        top.bar(place + (i - (len(order) - 1) / 2) * width, emission[k], width, color=color, label=f"state {i + 1}")
        bottom.plot(smoothed[:, k], color=color, drawstyle="steps-mid")
    shown = ["␣" if name == "_" else name for name in names]
    top.set_xticks(place, shown)
    top.set(ylabel="p(letter | state)", title="What the states say")
    top.legend()
    bottom.set_xticks(range(len(smoothed)), [shown[letter] for letter in line[: len(smoothed)]], fontsize=6.5)
    bottom.set(ylabel="p(state | text)", xlabel="the test text", ylim=(-0.03, 1.03), title="Who says it")
    bottom.margins(x=0.01)
    return figure


def casino(outcome: Outcome) -> Figure:
    """Where the probe "casino" had the loaded die in play, and where it is believed to be, by what came before and by
    all.
    """
    seen = outcome.of("casino")
    time = np.arange(len(seen["rolls"]))
    figure, axes = panel(3, 1, size=(7.2, 1.6))
    kinds = {"rolls": "rolls", "filtered": "filtered", "smoothed": "smoothed, and the best path (Viterbi)"}
    for ax, (name, title) in zip(axes[:, 0], kinds.items(), strict=True):
        top = 6.6 if name == "rolls" else 1.05
        ax.fill_between(time, 0, top, where=seen["states"] == 1, color="0.85", step="mid", linewidth=0)
        ax.set(xlim=(0, len(time)), ylim=(0, top))
        error = "" if name == "rolls" else f": errors {outcome.last(f'casino/{name}_error'):.1%}"
        ax.set_title(title + error, loc="left")
    axes[0, 0].plot(time, seen["rolls"] + 1, ".", markersize=3, color="black")
    axes[0, 0].set(ylabel="eyes", yticks=[1, 6])
    axes[0, 0].set_title("grey: the loaded die", loc="right", fontsize="small")
    axes[1, 0].plot(time, seen["filtered"], color=COLORS[0])
    axes[2, 0].plot(time, seen["smoothed"], color=COLORS[0])
    axes[2, 0].plot(time, seen["path"], color=COLORS[1], drawstyle="steps-mid", linewidth=1)
    axes[2, 0].set_title(f"path: errors {outcome.last('casino/viterbi_error'):.1%}", loc="right", fontsize="small")
    for ax in axes[1:, 0]:
        ax.set_ylabel("p(loaded)")
    axes[2, 0].set_xlabel("roll")
    return figure


def learned_dice(true: Sequence[np.ndarray], names: Sequence[str]) -> Draw:
    """Baum-Welch from some starts, beside the truth; and the dice of the best, of the probe "casino".

    Args:
      true: `[6]` probabilities of each die's eyes, the one that shows a six least often first.
      names: of the dice.
    """

    def draw(outcome: Outcome) -> Figure:
        paths, truth, dice = (outcome.arrays[f"casino/{name}"] for name in ("paths", "truth", "dice"))
        figure, axes = panel(1, 2, size=(3.6, 2.8))
        left, right = axes[0]
        left.plot(paths.T - truth, color=COLORS[0], linewidth=0.9)
        left.axhline(0, color=COLORS[1], linestyle="--", label="the truth")
        left.set(xlabel="step", ylabel="log-likelihood less the truth's (nats)", ylim=(-120, 20))
        left.set_title(f"Casino: {len(paths)} starts")
        left.legend(loc="lower right")
        eyes = np.arange(1, 7)
        for i, k in enumerate(np.argsort(dice[:, -1])):
            right.bar(eyes + 0.4 * i - 0.2, dice[k], 0.36, color=COLORS[i], label=names[i])
            right.plot(eyes + 0.4 * i - 0.2, true[i], "_", color="black", markersize=12)
        right.set(xlabel="eyes", ylabel="probability", title="Dice of the best; lines: the truth")
        right.legend(loc="upper left")
        return figure

    return draw
