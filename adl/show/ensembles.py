"""Ensembles: what each member adds, whether confidence keeps its promise, and what becomes of it far from the data."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.names import Names, called
from adl.show.style import COLORS, Draw, panel, styled

SCORES = {"accuracy": "accuracy", "nll": "NLL (nats)", "brier": "Brier score", "ece": "calibration error"}


def subsets(title: str) -> Draw:
    """What `uncertainty.evaluation.subsets`, as the probe "members", scored: each choice in grey, their mean in blue.

    Args:
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, len(SCORES), size=(2.2, 2.4))
        for ax, (name, text) in zip(axes[0], SCORES.items(), strict=True):
            found = outcome.arrays[f"members/{name}"]
            sizes = np.arange(1, len(found) + 1)
            ax.plot(sizes, found, ".", color="0.7", markersize=4)
            ax.plot(sizes, np.nanmean(found, 1), color=COLORS[0], marker="o", markersize=3.5)
            ax.set(xlabel="members", title=text)
            ax.set_xticks(sizes[:: -(-len(sizes) // 7)])
        figure.suptitle(title)
        return figure

    return draw


def reliability_bars(**probes: str) -> Draw:
    """Accuracy for each confidence, of a member and of the ensemble, by what `uncertainty.evaluation.forecasts` found.

    Args:
      **probes: of what, by the names of the probes that returned it.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(len(probes), 2, size=(2.9, 2.9))
        for row, (probe, views) in zip(axes, probes.items(), strict=True):
            seen = outcome.of(probe)
            for k, (ax, who) in enumerate(zip(row, ("a member", "the ensemble"), strict=True)):
                _reliability(ax, *seen["bins"][:, k], color=COLORS[1 - k])
                ax.set_title(f"{who}, {views}: ECE {seen['error'][k]:.3f}", fontsize="small")
            row[0].set_ylabel("accuracy; bars: share of pictures")
        for ax in axes[-1]:
            ax.set_xlabel("confidence")
        return figure

    return draw


def rotation(angles: np.ndarray, images: np.ndarray, *, title: str, names: Names = ()) -> Draw:
    """What `uncertainty.evaluation.shifted`, as the probe "rotated", found: accuracy, confidence, parts of the entropy.

    Below, pictures while they turn, and the ensemble's answers.

    Args:
      angles: `[A]` degrees, evenly spaced.
      images: `[A, R, H, W, C]` of the probe's `shown` pictures, turned, in [0, 1].
      title: of the figure.
      names: of the classes.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of("rotated")
        figure, axes = panel(3, 1, size=(8.8, 2.1))
        top, middle, bottom = axes[:, 0]
        for k, who in enumerate(("ensemble", "member")):
            dots = {"marker": "o", "markersize": 2.5}
            top.plot(angles, seen["confident"][k], color=COLORS[k], label=f"confidence, {who}", **dots)
            top.plot(angles, seen["right"][k], color=COLORS[k], linestyle="--", label=f"accuracy, {who}")
        top.set(ylim=(0, 1.02), ylabel="mean over pictures", title=title)
        parts = {"aleatoric:\nmembers are unsure": "aleatoric", "epistemic:\nmembers disagree": "epistemic"}
        middle.stackplot(angles, *(seen[name] for name in parts.values()), labels=parts, colors=(COLORS[5], COLORS[4]))
        middle.set(ylabel="entropy (nats)", ylim=(0, None))
        strip(bottom, angles, images, seen["said"], names)
        bottom.set(xlabel="rotation (degrees), and the ensemble's answer with its confidence")
        for ax in axes[:, 0]:
            ax.set(xlim=(angles[0] - 5, angles[-1] + 5), xticks=angles[::3])
        for ax in axes[:2, 0]:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        axes[0, 0].get_gridspec().set_height_ratios([1, 0.9, 0.8])
        return figure

    return draw


def _reliability(ax: Axes, count: np.ndarray, confidence: np.ndarray, correct: np.ndarray, *, color: str) -> None:
    """Accuracy over confidence, bin by bin with one standard error; and the share that each bin holds."""
    edges = np.arange(len(count)) / len(count)
    ax.bar(edges, count / count.sum(), 1 / len(count), align="edge", color="0.88", edgecolor="white", linewidth=0.5)
    ax.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle=":")
    some = count > 0
    x, y = confidence[some] / count[some], correct[some] / count[some]
    # Of the accuracy that the confidence promises: where all of a few are right the sample's own would be 0.
    error = np.sqrt(x * (1 - x) / count[some])
    ax.errorbar(x, y, error, fmt="o", color=color, markersize=4, elinewidth=0.9)
    ax.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")


def strip(ax: Axes, angles: np.ndarray, images: np.ndarray, said: np.ndarray, names: Names) -> None:
    """Pictures `[A, R, H, W, C]` in rows, at each angle below its place on the axis, with the answers `[A, R, K]`."""
    width = 0.9 * (angles[1] - angles[0])
    for angle, views, answers in zip(angles, np.clip(images, 0, 1), said, strict=True):
        for row, (view, answer) in enumerate(zip(views, answers, strict=True)):
            place = (angle - width / 2, angle + width / 2, -1.5 * row - 1, -1.5 * row)
            ax.imshow(view.repeat(3 // view.shape[-1], -1), extent=place, aspect="auto")
            text = f"{called([answer.argmax()], names)[0]} {answer.max():.0%}"
            ax.text(angle, -1.5 * row - 1.05, text, ha="center", va="top", fontsize=5.5)
    ax.set(ylim=(-1.5 * images.shape[1], 0.1), yticks=[])
    ax.spines["left"].set_visible(False)
