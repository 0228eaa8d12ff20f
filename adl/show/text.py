"""Texts: what a model makes up, how it goes on, and what in a text surprises it."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adl.run.experiment import Outcome
from adl.show.curve import curves, rescaled
from adl.show.style import COLORS, Draw, panel, styled

Decode = Callable[[Sequence[int]], str]  # tokens -> text
COLUMNS, LINES = 80, 24  # of a text, at most
TYPED = {"family": "monospace", "in_layout": False}  # a text keeps its size, and its axes theirs
TOP = 6.0  # nats of the darkest shade


def next_token(unit: str, *, size: float, counted: Sequence[float]) -> Draw:
    """Surprise at training pieces and at the held-out text, by step, and that of the best counted contexts.

    Args:
      unit: of the text, "character" or "word".
      size: > 0, units that a token of the training text counts for, in the mean: "train/loss" is in nats a token.
      counted: losses in nats a unit, from what followed contexts of 0, 1, 2 ... tokens.
    Returns:
      `draw(outcome)`, of "train/loss" and "test/loss".
    """
    name = f"counts of what followed {np.argmin(counted)} tokens: {{:.2f}}"
    draw = curves(
        {"training pieces": "train/loss", "held-out text": "test/loss"},
        y_label=f"−log p (nats a {unit})",
        title=f"Surprise at the next {unit}",
        references={name: min(counted)},
    )
    return rescaled(draw, {"train/loss": 1 / size})


@styled
def written(token: np.ndarray, *, decode: Decode, title: str) -> Figure:
    """Texts side by side, their first lines.

    Args:
      token: `[B, N]`.
      decode: of a text.
      title: of the figure.
    """
    figure, axes = panel(1, len(token), size=(4.5, 3.2))
    for ax, row in zip(axes.flat, token, strict=True):
        lines = [part for line in decode(row).split("\n") for part in _wrapped(line, COLUMNS)]
        shown = "\n".join(map(drawable, lines[:LINES]))
        ax.text(0, 1, shown, fontsize=6.2, va="top", linespacing=1.35, transform=ax.transAxes, **TYPED)
        ax.axis("off")
    figure.suptitle(title)
    return figure


def continuations(
    prompt: np.ndarray, names: Mapping[str, str], *, probe: str, rows: Sequence[int], decode: Decode, title: str
) -> Draw:
    """Prompts, and how they go on: a row for each way, of up to five lines each.

    Args:
      prompt: `[M, P]` tokens.
      names: what the figure calls each way, by the NAME of its arrays "probe/made_NAME" `[M, N]`.
      probe: that made them.
      rows: which of the M texts are shown.
      decode: of a text.
      title: of the figure, beside which stands how spaces and ends of lines are written.
    Returns:
      `draw(outcome)`.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        made = {label: outcome.arrays[f"{probe}/made_{name}"] for name, label in names.items()}
        figure, axes = panel(1 + len(made), len(rows), size=(3.9, 0.8))
        for line, (label, texts) in zip(axes, {"prompt": prompt, **made}.items(), strict=True):
            for ax, row in zip(line, rows, strict=True):
                text = decode(texts[row]).replace(" ", "·").replace("\n", "↵\n")
                lines = [part for whole in text.split("\n") for part in _wrapped(whole, 48)]
                shown = "\n".join(map(drawable, lines[:5]))
                ax.text(0, 0.98, shown, fontsize=6.5, va="top", linespacing=1.3, transform=ax.transAxes, **TYPED)
                ax.set(xticks=[], yticks=[])
                ax.spines[["left", "bottom"]].set_visible(False)
            line[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", y=0.97, va="top")
        figure.suptitle(f"{title}; · a space, ↵ the end of a line")
        return figure

    return draw


def repetition(names: Mapping[str, str], *, probe: str, title: str, num_tokens: int) -> Draw:
    """Ways to make texts, by their surprise and by how much they repeat, for the model and for another network.

    Args:
      names: what the figure calls each way, by its name in the metrics "probe/NAME_surprise", "probe/NAME_judged" and
        "probe/NAME_repeated", as `measure.texts.beside_people` has them; of the first, a star, people.
      probe: that judged them.
      title: of the figure.
      num_tokens: of what is repeated.
    Returns:
      `draw(outcome)`.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(4.3, 3.6))
        shares = {name: outcome.last(f"{probe}/{name}_repeated") for name in names}
        for ax, by, judge in zip(axes[0], ("surprise", "judged"), ("the model itself", "another network"), strict=True):
            for i, (name, called) in enumerate(names.items()):
                look = {"color": COLORS[i % 6], "marker": "os^"[i // 6]} if i else {"color": "k", "marker": "*"}
                x = outcome.last(f"{probe}/{name}_{by}")
                ax.plot(x, 100 * shares[name], linestyle="none", label=called, markersize=6 if i else 12, **look)
            ax.set(xlabel=f"surprise of {judge} (nats a character)", title=f"Judged by {judge}", yscale="symlog")
            ax.set_yticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
            ax.set_ylim(max(0, 80 * min(shares.values())), 110)
            ax.grid(linewidth=0.3)
        axes[0, 0].set_ylabel(f"{num_tokens}-grams that the text has had before (%)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
        figure.suptitle(title)
        return figure

    return draw


@styled
def surprise(nats: np.ndarray, *, pieces: Sequence[str]) -> Figure:
    """The first lines of a text, each token on the colour of how much it surprised a model.

    Args:
      nats: `[N]` -log p of each token.
      pieces: N tokens, as text.
    """
    shade = matplotlib.colormaps["Oranges"]
    figure, axes = panel(size=(8.6, 3.9))
    ax, row, col = axes[0, 0], 0, 0
    for piece, value in zip(pieces, nats, strict=True):
        for character in piece:
            if character == "\n" or col == COLUMNS:
                row, col = row + 1, 0
            if character != "\n" and row < LINES:
                color = shade(min(value / TOP, 1) * 0.9)
                ax.add_patch(Rectangle((col, row), 1, 1, facecolor=color, linewidth=0))
                ax.text(col + 0.5, row + 0.55, drawable(character), ha="center", va="center", fontsize=6.5, **TYPED)
                col += 1
    title = "Surprise at the first lines of the held-out text"
    ax.set(xlim=(0, COLUMNS), ylim=(min(row + 1, LINES), 0), title=title)
    ax.axis("off")
    scale = ScalarMappable(Normalize(0, TOP), shade)
    scale.set_clim(0, TOP / 0.9)
    figure.colorbar(scale, ax=axes, shrink=0.8, label="−log p of the token (nats)")
    return figure


def symbols(pieces: Sequence[str]) -> list[str]:
    """Tokens as names: ↵ for the end of a line, ␣ for a space."""
    return [drawable(piece.replace("\n", "↵").replace(" ", "␣")) for piece in pieces]


def drawable(text: str) -> str:
    """The text without formulas, and with ¤ for what fonts may lack: control characters and most scripts."""
    kept = (c if c.isprintable() and (ord(c) < 0x250 or c in "↵␣") else "¤" for c in text)
    return "".join(kept).replace("$", r"\$")


def _wrapped(line: str, columns: int) -> list[str]:
    return [line[at : at + columns] for at in range(0, max(len(line), 1), columns)]
