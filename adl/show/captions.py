"""Captions of pictures, word by word: which, and where each looks."""

from collections.abc import Callable, Sequence

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
