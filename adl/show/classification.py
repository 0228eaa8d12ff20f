"""Classification: which classes are taken for which, and the mistakes that were made most surely."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from adl.show.names import Names, called, evenly
from adl.show.style import COLORS, panel, styled

COUNTED = 20  # classes up to which each count is written


@styled
def confusion(probability: np.ndarray, *, label: np.ndarray, names: Names = (), noun: str = "pictures") -> Figure:
    """How often each class was taken for which: what is right in blue, mistakes redder the more there are.

    Up to `COUNTED` classes the counts are written; more are squares of one size of figure.

    Args:
      probability: `[N, K]` of the classes.
      label: `[N]` integers in 0 ... K - 1.
      names: of the classes.
      noun: what is of these classes.
    """
    num_classes = probability.shape[-1]
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (label, probability.argmax(-1)), 1)
    mistakes = np.where(np.eye(num_classes, dtype=bool), 0, counts)
    is_small = num_classes <= COUNTED
    side = 0.38 * num_classes if is_small else 6.4
    figure, axes = panel(size=(0.8 + side, 0.9 + side))
    ax = axes[0, 0]
    shades = matplotlib.colormaps["Reds"](np.sqrt(mistakes) / (1.5 * np.sqrt(max(mistakes.max(), 1))))[..., :3]
    right = np.diag(np.diag(counts) > 0) if not is_small else np.eye(num_classes, dtype=bool)
    blue = np.array(matplotlib.colors.to_rgb(COLORS[0]))
    strength = 0.18 if is_small else np.clip(np.diag(counts) / np.maximum(counts.sum(1), 1), 0.1, 1)[:, None, None]
    ax.imshow(np.where(right[..., None], 1 - strength * (1 - blue), shades))
    if is_small:
        for row, col in np.argwhere(counts):
            ax.text(col, row, counts[row, col], ha="center", va="center", fontsize=7)
    shown = evenly(np.arange(num_classes), 28)
    ax.set_xticks(shown, called(shown, names), rotation=90 * (not is_small or max(map(len, [*names, ""])) > 2))
    ax.set_yticks(shown, called(shown, names))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    title = f"{mistakes.sum()} mistakes on {len(label):,} {noun}"
    ax.set(xlabel="predicted class", ylabel="class", title=title)
    return figure


@styled
def mistakes(
    probability: np.ndarray,
    *,
    image: np.ndarray,
    label: np.ndarray,
    names: Names = (),
    rows: int = 3,
    cols: int = 6,
) -> Figure:
    """The mistakes of which the model was surest, the surest first.

    Args:
      probability: `[N, K]` of the classes.
      image: `[N, H, W, C]` uint8.
      label: `[N]` integers in 0 ... K - 1.
      names: of the classes.
      rows: of pictures, at most.
      cols: of pictures, at most.
    """
    predicted, confidence = probability.argmax(-1), probability.max(-1)
    wrong = np.flatnonzero(predicted != label)
    worst = wrong[np.argsort(-confidence[wrong])][: rows * cols]
    cols = min(max(len(worst), 4), cols)  # the title takes four
    figure, axes = panel(max(-(-len(worst) // cols), 1), cols, size=(1.15, 1.45))
    for ax in axes.flat[len(worst) :]:
        ax.axis("off")
    for ax, index in zip(axes.flat, worst, strict=False):
        ax.imshow(image[index].squeeze(-1) if image.shape[-1] == 1 else image[index], vmin=0, vmax=255, cmap="gray")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="0.75")
        was, said = called((label[index], predicted[index]), names)
        gap = " " if len(was + said) < 6 else "\n"
        ax.set_title(f"{was}, taken for{gap}{said}\nat {confidence[index]:.0%}", fontsize=7)
    figure.suptitle(f"The most confident of {len(wrong)} mistakes on {len(label):,} pictures")
    return figure
