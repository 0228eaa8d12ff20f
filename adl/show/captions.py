"""Captions of pictures, word by word: which, and where each looks."""

import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.adversarial import framed_picture
from adl.show.style import Draw, panel, styled


def where_words_look(
    probe: str, *, image: np.ndarray, wanted: np.ndarray, words: Sequence[str], text: Callable[[Sequence[int]], str]
) -> Draw:
    """A picture a row, and beside it once more for each word that was said, bright where the word looks.

    What must be seen: that the words of a thing look at its quarter of the picture.

    Args:
      probe: of arrays "said" `[R, T]`, tokens, and "weights" `[R, T, U]` over the U cells of a square grid.
      image: `[R, H, W, C]` uint8.
      wanted: `[R, T]` right captions.
      words: V, what each token stands for; the last is the end.
      text: a caption of tokens, up to its end.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        said, weights = outcome.arrays[f"{probe}/said"], outcome.arrays[f"{probe}/weights"]
        end, side = len(words) - 1, round(weights.shape[-1] ** 0.5)
        length = [row.index(end) if end in row else len(row) for row in said.tolist()]
        figure, axes = panel(len(said), 1 + max(length), size=(0.75, 1.0))
        for i, row in enumerate(axes):
            picture = image[i] / 255
            framed_picture(row[0], picture)
            is_right = text(said[i]) == text(wanted[i])
            row[0].set_title("right" if is_right else "wrong", fontsize=7, color="0.4" if is_right else "C3")
            for ax, token, weight in zip(row[1:], said[i, : length[i]], weights[i], strict=False):
                light = np.kron(weight.reshape(side, side), np.ones((len(picture) // side,) * 2))
                framed_picture(ax, picture * (0.12 + 0.88 * light[..., None] / light.max()))
                ax.set_title(words[token], fontsize=7)
            for ax in row[1 + length[i] :]:
                ax.axis("off")
        figure.suptitle("Where each word looks")
        return figure

    return draw


def asked_of_pictures(
    probe: str,
    names: Mapping[str, str],
    *,
    image: np.ndarray,
    question: Sequence[str],
    answer: Sequence[str],
    rows: Sequence[int],
    words: Sequence[str],
) -> Draw:
    """Pictures with a question each, and beneath what was answered, wrong answers in colour.

    What must be seen: which wrong answers are of pictures that are hard, and what words alone would say.

    Args:
      probe: of arrays "said_NAME" `[N]`, tokens.
      names: what the figure calls who answers, by NAME.
      image: `[R, H, W, C]` uint8.
      question: R of them, in words.
      answer: R right ones.
      rows: which of the N questions these are.
      words: what each token stands for.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(2, -(-len(rows) // 2), size=(1.9, 2.1))
        for ax, picture, text, right, row in zip(axes.flat, image, question, answer, rows, strict=False):
            framed_picture(ax, picture / 255)
            ax.set_title("\n".join(textwrap.wrap(text, 26)), fontsize=8)
            for line, (name, called) in enumerate(names.items()):
                said = words[int(outcome.arrays[f"{probe}/said_{name}"][row])]
                color = "0.2" if said == right else "C1"
                text = f"{called}: {said}"
                ax.text(0.5, -0.1 - 0.13 * line, text, color=color, fontsize=8, ha="center", transform=ax.transAxes)
        for ax in axes.flat[len(rows) :]:
            ax.axis("off")
        return figure

    return draw


def pictures_and_captions(likeness: str, *, image: np.ndarray, texts: Sequence[str]) -> Draw:
    """Pictures along the top, captions down the side, and how near each is to each: bright on the diagonal.

    What must be seen: where a caption is near to another's picture, and what the two share.

    Args:
      likeness: name of the array `[R, R]` of cosines, "probe/name", of pictures and captions.
      image: `[R, H, W, C]` uint8.
      texts: R captions.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        cosine, num = outcome.arrays[likeness].T, len(texts)
        figure, axes = panel(size=(8.0, 5.4))
        ax = axes[0, 0]
        shades = ax.imshow(cosine, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(cosine):
            ax.text(
                column,
                row,
                f"{value:.1f}",
                ha="center",
                va="center",
                fontsize=6,
                color="w" if abs(value) > 0.6 else "0.2",
            )
        for place, picture in enumerate(image):
            ax.imshow(picture, extent=(place - 0.48, place + 0.48, -0.55, -1.51), aspect="auto")
        ax.set(xlim=(-0.5, num - 0.5), ylim=(num - 0.5, -1.6), xticks=[])
        ax.set_yticks(range(num), ["\n".join(textwrap.wrap(text, 36)) for text in texts], fontsize=6)
        ax.spines[:].set_visible(False)
        figure.colorbar(shades, ax=ax, shrink=0.7, label="cosine of picture and caption")
        return figure

    return draw
