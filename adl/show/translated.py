"""Translations: what was written for what, and where in the source each word of it looked."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled
from adl.show.text import symbols


def alignment(
    names: Mapping[str, str], *, probe: str, source: Sequence[str], target: Sequence[str], title: str
) -> Draw:
    """Where each model looks in a source for each token of a target.

    Args:
      names: what the figure calls each model, by the name of its array "probe/NAME" `[T, U]`.
      probe: that looked.
      source: U tokens, as text.
      target: T tokens, as text.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        size = (0.9 + 0.19 * len(source), 1.2 + 0.19 * len(target))
        figure, axes = panel(1, len(names), size=size)
        for ax, (name, called) in zip(axes[0], names.items(), strict=True):
            image = ax.imshow(outcome.arrays[f"{probe}/{name}"], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            ax.set_xticks(range(len(source)), symbols(source), fontsize=7, rotation=90)
            ax.set_yticks(range(len(target)), symbols(target), fontsize=7)
            ax.tick_params(length=0)
            ax.set(title=called, xlabel="source")
        axes[0, 0].set_ylabel("target, as it is written")
        figure.colorbar(image, ax=axes, shrink=0.7, label="weight").ax.tick_params(labelsize=8)
        figure.suptitle(title)
        return figure

    return draw


def translated_texts(
    names: Mapping[str, str],
    *,
    probe: str,
    sources: Sequence[str],
    targets: Sequence[str],
    written: Callable[[np.ndarray], str],
    title: str,
) -> Draw:
    """Sources, targets, and what each model writes, in colour where it is not the target.

    Args:
      names: what the figure calls each model, by the name of its array "probe/NAME" `[N, T]`.
      probe: that wrote.
      sources: M of them, the first of N.
      targets: M.
      written: a row of tokens as text.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        lines = 2 + len(names)
        figure, axes = panel(size=(8.6, 0.4 + 0.16 * (lines + 0.6) * len(sources)))
        ax = axes[0, 0]
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            texts = {"source": source, "target": target}
            texts |= {called: written(outcome.arrays[f"{probe}/{name}"][row]) for name, called in names.items()}
            for line, (called, text) in enumerate(texts.items()):
                y = row * (lines + 0.6) + line
                is_wrong = line > 1 and text != target
                ax.text(-0.01, y, called, fontsize=7, ha="right", va="center", color="0.4")
                ax.text(
                    0,
                    y,
                    symbols([text[:110]])[0].replace("␣", " "),
                    fontsize=7,
                    va="center",
                    color=COLORS[1] if is_wrong else "0.1",
                )
        ax.set(xlim=(-0.15, 1), ylim=(len(sources) * (lines + 0.6), -1))
        ax.axis("off")
        figure.suptitle(title)
        return figure

    return draw
