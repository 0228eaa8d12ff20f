"""Matrices as shades: counts, who answers for whom, where attention looks."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.show.names import Names, called, evenly
from adl.show.style import panel, styled

MANY = 30  # rows or columns from which on a matrix grows no more


@styled
def heat_map(
    counts: np.ndarray,
    *,
    x_label: str,
    y_label: str,
    title: str,
    bar_label: str,
    row_labels: Sequence[object] | None = None,
    col_labels: Sequence[object] | None = None,
) -> Figure:
    """A matrix as shades of blue, from 0 to its largest entry.

    Args:
      counts: `[R, C]`, >= 0.
      x_label: what the columns are.
      y_label: what the rows are.
      title: of the figure.
      bar_label: quantity and unit of the entries.
      row_labels: R labels, some of which stand where there are many; None counts them from 0.
      col_labels: C labels; None counts them from 0.
    """
    rows, cols = counts.shape
    figure, axes = panel(size=(1.6 + 0.3 * min(cols, MANY), 0.9 + 0.3 * min(rows, MANY)))
    ax = axes[0, 0]
    image = ax.imshow(counts, cmap="Blues", vmin=0, aspect="auto" if max(rows, cols) > MANY else "equal")
    for ticks, labels, num in ((ax.set_xticks, col_labels, cols), (ax.set_yticks, row_labels, rows)):
        shown = evenly(np.arange(num), MANY + 10)
        ticks(shown, shown if labels is None else [labels[k] for k in shown])
    if max(map(len, map(str, [""] if col_labels is None else col_labels))) > 3:
        ax.tick_params(axis="x", rotation=90)
    ax.tick_params(length=0)
    ax.set(xlabel=x_label, ylabel=y_label, title=title)
    figure.colorbar(image, ax=axes, shrink=0.8, label=bar_label).ax.tick_params(labelsize=8)
    return figure


@styled
def responsibilities(r: np.ndarray, label: np.ndarray, names: Names = ()) -> Figure:
    """How much of each class each component of a mixture answers for, components beside the class that they serve most.

    Args:
      r: `[N, K]` p(component | example).
      label: `[N]` integers >= 0.
      names: of the classes.
    """
    classes = np.unique(label)
    share = np.stack([r[label == k].mean(0) for k in classes])
    words = {"title": "Who answers for whom", "bar_label": "mean responsibility, test"}
    return _by_class(share, called(classes, names), x_label="component", **words)


@styled
def clusters(counts: np.ndarray, names: Names = ()) -> Figure:
    """Which classes the clusters of the training split hold, those of the same class side by side.

    Args:
      counts: `[K, C]` how often class and cluster met.
      names: of the classes.
    """
    return _by_class(
        counts,
        called(range(len(counts)), names),
        x_label="cluster",
        title="Clusters and classes",
        bar_label="training pictures",
    )


def _by_class(counts: np.ndarray, rows: Sequence[str], **words: str) -> Figure:
    """A heat map whose columns are sorted by the class, a row, that each has most of."""
    order = np.lexsort((-counts.max(0), counts.argmax(0)))
    labels = order if len(order) <= 40 else [""] * len(order)
    return heat_map(counts[:, order], y_label="class", row_labels=rows, col_labels=labels, **words)


@styled
def attention(weights: np.ndarray, names: Sequence[str]) -> Figure:
    """Where each head of each layer looks.

    Args:
      weights: `[layers, H, T, T]` in [0, 1], of the token in each column for the one in each row.
      names: T tokens, as text.
    """
    num_layers, num_heads, length = weights.shape[:3]
    figure, axes = panel(num_layers, num_heads, size=(2.0, 2.1))
    rotation = 0 if len(max(names, key=len)) == 1 else 90
    for (layer, head), ax in np.ndenumerate(axes):
        image = ax.imshow(weights[layer, head], cmap="Blues", vmin=0, vmax=1)
        ax.set_xticks(range(length), names, fontsize=4.5, family="monospace", rotation=rotation)
        ax.set_yticks(range(length), names, fontsize=4.5, family="monospace")
        ax.tick_params(length=0, pad=1)
        ax.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8)
    figure.supxlabel("token that is seen", fontsize=9)
    figure.supylabel("token that asks", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.5, label="weight").ax.tick_params(labelsize=8)
    return figure
