"""Classification: which classes are taken for which, and the mistakes that were made most surely."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adl.show.style import COLORS, panel, styled


@styled
def confusion(probability: np.ndarray, *, label: np.ndarray) -> Figure:
    """How often each class was taken for which: what is right in blue, mistakes redder the more there are.

    Args:
      probability: `[N, K]` of the classes.
      label: `[N]` integers in 0 ... K - 1.
    """
    num_classes = probability.shape[-1]
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (label, probability.argmax(-1)), 1)
    mistakes = np.where(np.eye(num_classes, dtype=bool), 0, counts)
    figure, axes = panel(size=(0.8 + 0.38 * num_classes, 0.9 + 0.38 * num_classes))
    ax = axes[0, 0]
    ax.imshow(np.sqrt(mistakes), cmap="Reds", vmin=0, vmax=1.5 * np.sqrt(max(mistakes.max(), 1)))
    for (row, col), count in np.ndenumerate(counts):
        if row == col:
            ax.add_patch(Rectangle((col - 0.5, row - 0.5), 1, 1, color=COLORS[0], alpha=0.18, linewidth=0))
        if count:
            ax.text(col, row, count, ha="center", va="center", fontsize=7)
    ax.set_xticks(range(num_classes))
    ax.set_yticks(range(num_classes))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    title = f"{mistakes.sum()} mistakes on {len(label):,} pictures"
    ax.set(xlabel="predicted class", ylabel="class", title=title)
    return figure


@styled
def mistakes(probability: np.ndarray, *, image: np.ndarray, label: np.ndarray, rows: int = 3, cols: int = 6) -> Figure:
    """The mistakes of which the model was surest, the surest first.

    Args:
      probability: `[N, K]` of the classes.
      image: `[N, H, W, C]` uint8.
      label: `[N]` integers in 0 ... K - 1.
      rows: of pictures, at most.
      cols: of pictures, at most.
    """
    predicted, confidence = probability.argmax(-1), probability.max(-1)
    wrong = np.flatnonzero(predicted != label)
    worst = wrong[np.argsort(-confidence[wrong])][: rows * cols]
    cols = min(max(len(worst), 4), cols)  # the title takes four
    figure, axes = panel(max(-(-len(worst) // cols), 1), cols, size=(1.15, 1.45))
    for ax in axes.flat:
        ax.axis("off")
    for ax, index in zip(axes.flat, worst, strict=False):
        ax.imshow(image[index].squeeze(-1) if image.shape[-1] == 1 else image[index], vmin=0, vmax=255, cmap="gray_r")
        ax.set_title(f"{label[index]}, taken for {predicted[index]}\nat {confidence[index]:.0%}", fontsize=7)
    figure.suptitle(f"The most confident of {len(wrong)} mistakes on {len(label):,} pictures")
    return figure
