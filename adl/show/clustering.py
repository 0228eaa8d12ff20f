"""Mixtures: which points each component answers for, where it lies, how much it weighs, what it looks like."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from adl.show.images import image_grid, in_rows
from adl.show.style import COLORS, panel, styled

LEAST = 0.01  # weight from which on a component is drawn


@styled
def mixture_steps(
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    responsibility: np.ndarray,
    *,
    x: np.ndarray,
    steps: Sequence[int],
    limit: float,
    axes: tuple[str, str],
) -> Figure:
    """Points in the colours of the Gaussians that answer for them, at six steps of the way from a start.

    Args:
      weights: `[T + 1, K]` by the step; components below `LEAST` are not drawn.
      means: `[T + 1, K, 2]`.
      covariances: `[T + 1, K, 2, 2]`.
      responsibility: `[T + 1, N, K]` of each component for each point.
      x: `[N, 2]` the points.
      steps: six of 0 ... T.
      limit: of both axes, from -limit to limit.
      axes: what the coordinates are.
    """
    figure, panels = panel(2, 3, size=(2.4, 2.5))
    for ax, step in zip(panels.flat, steps, strict=True):
        _gaussians(ax, x, weights[step], means[step], covariances[step], responsibility[step], limit)
        ax.set_title("first mixture" if step == 0 else f"after {step} steps")
    _label_edges(panels, axes)
    return figure


@styled
def mixture_density(
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    responsibility: np.ndarray,
    log_prob: np.ndarray,
    *,
    x: np.ndarray,
    limit: float,
    axes: tuple[str, str],
) -> Figure:
    """A mixture of Gaussians: its components, and the contours of its density, a nat apart.

    Args:
      weights: `[K]`; components below `LEAST` are not drawn.
      means: `[K, 2]`.
      covariances: `[K, 2, 2]`.
      responsibility: `[N, K]` of each component for each point.
      log_prob: `[S^2]` in nats at the points of `data.toys.mesh(limit, S)`.
      x: `[N, 2]` the points.
      limit: of both axes, from -limit to limit.
      axes: what the coordinates are.
    """
    figure, panels = panel(size=(4.6, 3.7))
    num_sides = round(len(log_prob) ** 0.5)
    side, log_prob = np.linspace(-limit, limit, num_sides), log_prob.reshape(num_sides, num_sides)
    levels = np.ceil(log_prob.max()) - np.arange(6, -1, -1.0)
    contours = panels[0, 0].contourf(side, side, log_prob, levels, cmap="Greys", alpha=0.6)
    figure.colorbar(contours, ax=panels, shrink=0.8, label="log p(x) (nats)")
    _gaussians(panels[0, 0], x, weights, means, covariances, responsibility, limit)
    panels[0, 0].set_title(f"Mixture of {(weights > LEAST).sum()} Gaussians")
    _label_edges(panels, axes)
    return figure


@styled
def ascent(values: np.ndarray, reached: np.ndarray, *, steps: Sequence[int], y_label: str, title: str) -> Figure:
    """What a fit may never lower, along the way from a poor start, and what the run reached from its own.

    Args:
      values: `[T + 1]` by the step.
      reached: `[]` by the run.
      steps: those of 0 ... T that are marked.
      y_label: quantity and unit.
      title: of the figure.
    """
    figure, panels = panel(size=(4.4, 3.1))
    ax = panels[0, 0]
    ax.plot(values, label="from the poor start")
    ax.plot(steps, values[list(steps)], "o", color=COLORS[0], markersize=4)
    ax.axhline(reached, color=COLORS[1], linestyle="--", label="this run, at its end")
    ax.set(xlabel="step", ylabel=y_label, title=title)
    ax.legend(loc="lower right")
    return figure


@styled
def component_weights(path: np.ndarray, reached: np.ndarray) -> Figure:
    """How components that the points do not need lose their weight, from a poor start; and the weights of the run.

    Args:
      path: `[T + 1, K]` by the step; those that end above `LEAST` are in colour.
      reached: `[K]` by the run.
    """
    figure, panels = panel(1, 2, size=(3.4, 2.9))
    way, bars = panels[0]
    for k, weight in enumerate(path[:, np.argsort(-path[-1], kind="stable")].T):
        is_kept = weight[-1] > LEAST
        way.plot(weight, color=COLORS[k % len(COLORS)] if is_kept else "0.75", linewidth=1.6 if is_kept else 0.9)
    way.set(xlabel="step", ylabel="expected weight", title="From the poor start")
    falling = np.sort(reached)[::-1]
    is_kept, place = falling > LEAST, np.arange(1, len(falling) + 1)
    bars.bar(place, falling, color=np.where(is_kept, COLORS[0], "0.75"))
    title = f"This run: {is_kept.sum()} of {len(falling)} above {LEAST:.0%}"
    bars.set(xlabel="component, heaviest first", title=title, xticks=place)
    for ax in panels[0]:
        ax.set_ylim(0, 1)
    return figure


@styled
def likeliest(
    weights: np.ndarray, means: np.ndarray, joint: np.ndarray, *, image: np.ndarray, num_shown: int = 9, rows: int = 30
) -> Figure:
    """The mean of each of the heaviest components, and of the pictures that are its own those most like it.

    Args:
      weights: `[K]`.
      means: `[K, H, W, C]` in [0, 1].
      joint: `[M, K]` log p(x, k) of each picture, up to what it has for all components.
      image: `[M, H, W, C]` the pictures, in [0, 1].
      num_shown: of each component, where it has as many.
      rows: components, at most.
    """
    order = np.argsort(-weights)[:rows]
    own = np.where(joint.argmax(1)[:, None] == np.arange(len(weights)), joint, -np.inf)
    best = np.argsort(-own, axis=0)[:num_shown].T
    shown = np.array(image)[best]
    shown[np.isinf(np.take_along_axis(own.T, best, 1))] = 1  # fewer than that belong to it
    return image_grid(
        np.concatenate([means[:, None], shown], 1)[order],
        row_labels=[f"{weight:.0%}" for weight in weights[order]],
        col_labels=["mean", *[""] * num_shown],
        x_label="and the test pictures of the component that it makes most likely",
        y_label="weight of the component",
    )


@styled
def prototypes(
    weights: np.ndarray, means: np.ndarray, *, shape: tuple[int, ...], least: float, title: str, cols: int = 10
) -> Figure:
    """What each component looks like, the heaviest first.

    Args:
      weights: `[K]`.
      means: `[K, D]` in [0, 1].
      shape: of a picture, `[H, W, C]`, D = H W C.
      least: weight from which on a component is drawn.
      title: of the figure.
      cols: pictures in a row, at most; where one row does, each stands under its weight.
    """
    order = np.argsort(-weights)[: max(1, (weights > least).sum())]
    is_one_row = len(order) <= cols
    return image_grid(
        in_rows(means[order].reshape(-1, *shape), cols),
        col_labels=[f"{weight:.0%}" for weight in weights[order]] if is_one_row else None,
        x_label="weight of the component" if is_one_row else "",
        title=title,
    )


def _gaussians(
    ax: Axes,
    x: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    responsibility: np.ndarray,
    limit: float,
) -> None:
    """Points in a mixture of the components' colours, and ellipses at one and two standard deviations."""
    colors, kept = to_rgba_array(np.resize(COLORS, len(means)))[:, :3], weights > LEAST
    ax.scatter(*x.T, c=(responsibility @ colors).clip(0, 1), s=7, linewidths=0)
    for mean, covariance, color in zip(means[kept], covariances[kept], colors[kept], strict=True):
        variance, axes = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        for deviations in (1, 2):
            width, height = 2 * deviations * np.sqrt(variance[::-1])
            ax.add_patch(Ellipse(mean, width, height, angle=angle, fill=False, edgecolor=color, linewidth=1.2))
        ax.plot(*mean, "+", color="black", markersize=7)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")


def _label_edges(panels: np.ndarray, axes: tuple[str, str]) -> None:
    """Names of the coordinates, at the left and at the bottom of a grid of panels."""
    for ax in panels[-1]:
        ax.set_xlabel(axes[0])
    for ax in panels[:, 0]:
        ax.set_ylabel(axes[1])
