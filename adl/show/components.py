"""Principal components: the plane of the first two, what each looks like, what they leave, how many there are."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl.show.images import image_grid, in_rows
from adl.show.names import Names, called, evenly
from adl.show.points import COMPONENTS, classes
from adl.show.style import COLORS, panel, styled

ADDED, TAKEN = np.array([0.0, 0.447, 0.698]), np.array([0.835, 0.369, 0.0])  # the first two of COLORS


@styled
def components_plane(code: np.ndarray, *, label: np.ndarray, x: np.ndarray, names: Names = ()) -> Figure:
    """Test pictures in the plane of the first two components, and how much of their variance it has.

    Args:
      code: `[M, 2]` coordinates.
      label: `[M]` integers >= 0.
      x: `[M, D]` the pictures.
      names: of the classes.
    """
    title = f"{len(code):,} test pictures\n({code.var(0).sum() / x.var(0).sum():.0%} of their variance)"
    return classes(code, label, title=title, axes=COMPONENTS, names=names)


@styled
def eigenpictures(basis: np.ndarray, mean: np.ndarray, *, shape: tuple[int, ...], num_shown: int = 15) -> Figure:
    """The mean, and the first components as pictures: blue adds light, orange takes it away.

    Args:
      basis: `[D, Z]`.
      mean: `[D]` in [0, 1].
      shape: of a picture, `[H, W, C]`, D = H W C.
      num_shown: components, where there are as many.
    """
    light = basis[:, :num_shown].T.reshape(-1, *shape).mean(-1, keepdims=True)
    strength = np.abs(light) / np.abs(light).max((1, 2, 3), keepdims=True)
    colors = 1 - strength * (1 - np.where(light > 0, ADDED, TAKEN))
    first = np.broadcast_to(mean.reshape(shape).mean(-1, keepdims=True), colors.shape[1:])
    title = "The mean, and the components in order: blue adds light, orange takes it away"
    return image_grid(in_rows(np.concatenate([first[None], colors]), 8), title=title)


@styled
def reconstructions(
    basis: np.ndarray,
    mean: np.ndarray,
    *,
    x: np.ndarray,
    label: np.ndarray,
    shape: tuple[int, ...],
    names: Names = (),
    most: int = 12,
    numbers: Sequence[int] = (1, 2, 4, 8, 16, 32),
) -> Figure:
    """The first picture of each class, of at most so many, from more and more components.

    Args:
      basis: `[D, Z]` orthonormal columns.
      mean: `[D]`.
      x: `[M, D]` pictures in [0, 1].
      label: `[M]` integers >= 0.
      shape: of a picture, `[H, W, C]`.
      names: of the classes.
      most: classes.
      numbers: of components, where there are as many.
    """
    shown_classes, first = (evenly(found, most) for found in np.unique(label, return_index=True))
    shown = [n for n in numbers if n <= basis.shape[1]]
    rows = [mean + (x[first] - mean) @ basis[:, :n] @ basis[:, :n].T for n in shown]
    return image_grid(
        np.stack([*rows, x[first]], 1).reshape(len(first), -1, *shape),
        col_labels=[*shown, "picture"],
        x_label="components",
        row_labels=called(shown_classes, names),
        y_label="class",
    )


@styled
def component_numbers(
    variance: np.ndarray, error: np.ndarray, fitted: np.ndarray, held_out: np.ndarray, evidence: np.ndarray
) -> Figure:
    """What each number of components leaves, how probable it makes pictures, and how probable it is; the best marked.

    Args:
      variance: `[D]` along each component.
      error: `[D]` left in a test picture by 0 ... D - 1 components.
      fitted: `[D - 1]` log p(x) of training pictures by 1 ... D - 1 components, in nats.
      held_out: `[D - 1]` the same of test pictures.
      evidence: `[D - 1]` log p(X) / N in nats.
    """
    figure, axes = panel(1, 3, size=(3.1, 2.7))
    left, likely, evident = axes[0]
    number = np.arange(1, len(variance))
    left.semilogy(np.arange(1, len(variance) + 1), variance, "o-", markersize=2, label="of the component")
    left.semilogy(np.arange(len(variance)), error, label="left in a test picture")
    left.set(ylabel="variance (pixels in [0, 1])", title="Variance")
    likely.plot(number, fitted, label="training pictures")
    likely.plot(number, held_out, label="test pictures")
    likely.set(ylabel="log p(x) (nats a picture)", title="Likelihood, probabilistic PCA")
    evident.plot(number, evidence)
    evident.set(ylabel="log p(X) / N (nats a picture)", title="Evidence, Laplace")
    _mark_highest(likely, number, held_out, COLORS[1])
    _mark_highest(evident, number, evidence, COLORS[0])
    for ax in axes[0]:
        ax.set_xlabel("components")
    left.legend(loc="lower left")
    likely.legend(loc="lower right")
    return figure


def _mark_highest(ax: Axes, x: np.ndarray, y: np.ndarray, color: str) -> None:
    """A dot and its place where a curve is highest."""
    best = int(np.argmax(y))
    ax.plot(x[best], y[best], "o", color=color, markersize=5)
    ax.annotate(f"{x[best]}", (x[best], y[best]), textcoords="offset points", xytext=(0, -12), ha="center")
