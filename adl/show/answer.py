"""Answers to questions of many lengths: how often they are right, and what they are."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled

MARKS = "os^D"  # of the models
GAP = 3  # characters between the columns of answers


def right_by_length(
    names: Mapping[str, str], *, probe: str, length: np.ndarray, longest: int, x_label: str, title: str
) -> Draw:
    """How often the whole answer is right, and each of its tokens, by the length of the question.

    Args:
      names: what the figure calls each model, by the NAME of its arrays "probe/NAME_right" and "probe/NAME_tokens"
        `[N]`, as `sequence.answers.judged` has them.
      probe: that judged them.
      length: `[N]` of the questions.
      longest: in training, up to which the ground is grey.
      x_label: unit of the length.
      title: of the figure.
    Returns:
      `draw(outcome)`.
    """
    places, titles = (
        np.unique(length),
        {"right": "the whole answer is right", "tokens": "a token is, after a right beginning"},
    )

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(3.9, 3.0))
        keys = {}
        for ax, (what, told) in zip(axes[0], titles.items(), strict=True):
            ax.axvspan(0.5, longest + 0.5, color="0.92", linewidth=0)
            ax.text(longest / 2 + 0.5, 1.06, "trained", ha="center", va="center", fontsize="small", color="0.4")
            for (name, called), color, mark in zip(names.items(), COLORS, MARKS, strict=False):
                values = outcome.arrays[f"{probe}/{name}_{what}"]
                mean = [values[length == n].mean() for n in places]
                (keys[called],) = ax.plot(places, mean, color=color, marker=mark, markersize=3)
            ax.set(xlim=(0.5, places[-1] + 0.5), ylim=(-0.03, 1.12), yticks=np.linspace(0, 1, 6), xlabel=x_label)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.set_title(told, fontsize="medium")
        axes[0, 0].set_ylabel("share of test questions")
        figure.suptitle(title)
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=len(keys))
        return figure

    return draw


def answers(
    names: Mapping[str, str], *, probe: str, columns: Mapping[str, np.ndarray], longest: int, alphabet: str
) -> Draw:
    """Questions of growing length, and what each model says, its wrong tokens in colour.

    Args:
      names: what the figure calls each model, by the name of its array "probe/NAME" `[N, T + 1]`, as of
        `sequence.answers.said`.
      probe: of what they said.
      columns: "token" `[N, T + 1]`, "mask" `[N, T]`, 1 where an answer's token follows, and "length" `[N]`, rising.
      longest: in training; what is longer stands apart.
      alphabet: of whose characters the tokens are numbers.
    Returns:
      `draw(outcome)`.
    """
    is_answer, token = columns["mask"] > 0, columns["token"]
    first, titles = is_answer.argmax(1), ["right", *names.values()]  # places of "="
    widths = [first.max() + 1, *(max(is_answer.sum(1).max(), len(title)) for title in titles)]
    starts = np.cumsum([0, *(width + GAP for width in widths)])
    lines = np.arange(len(token)) + 0.6 * (columns["length"] > longest)

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(0.085 * starts[-1] + 0.6, 0.21 * len(token) + 0.75))
        ax = axes[0, 0]

        def write(x, y, number, color="0.1"):
            text = alphabet[number]
            ax.text(x, y, text, color=color, ha="center", va="center", fontsize="small", family="monospace")

        for title, start in zip(titles, starts[1:], strict=False):
            ax.text(start, -1.2, title, fontsize="small", color="0.4", va="center")
        for row, (line, place) in enumerate(zip(lines, first, strict=True)):
            for at, number in enumerate(token[row, : place + 1]):
                write(starts[1] - GAP - place + at, line, number)
            said = [token, *(outcome.arrays[f"{probe}/{name}"] for name in names)]
            for start, tokens in zip(starts[1:], said, strict=False):
                told, right = (array[row, 1:][is_answer[row]] for array in (tokens, token))
                for at, (number, wanted) in enumerate(zip(told, right, strict=True)):
                    write(start + at + 0.5, line, number, "0.1" if number == wanted else COLORS[1])
        ax.set(xlim=(-1, starts[-1]), ylim=(len(token) + 0.6, -2), title="Greedy answers to test questions")
        ax.axis("off")
        return figure

    return draw
