"""Clips: strips of their frames with what is said of them, and how right networks are on clips that are changed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.classification import confusion
from adl.show.names import MARKS, Names, called
from adl.show.panels import framed, page
from adl.show.style import COLORS, Draw, panel

SHOWN = 6  # clips


def filmstrips(
    clip: np.ndarray, label: np.ndarray, *, probability: str, names: Names = (), title: str = "Clips, frame after frame"
) -> Draw:
    """Some clips, mistakes first: what is right and what is said, of the clip at its left or of each frame above it.

    Args:
      clip: `[N, T, H, W, C]` uint8.
      label: `[N]` of clips, or `[N, T]` of frames.
      probability: name of what is said, `[N, K]` or `[N, T, K]`: "test/probability".
      names: of the classes.
      title: of the figure.
    """

    def draw(outcome: Outcome) -> Figure:
        said = outcome.arrays[probability]
        is_wrong = said.argmax(-1) != label
        wrong = is_wrong.reshape(len(label), -1).mean(1)
        order = np.argsort(-wrong, kind="stable")
        shown = [*order[: SHOWN // 2], *order[::-1][: SHOWN - SHOWN // 2]]
        time, height, width = clip.shape[1:4]
        figure, axes = panel(len(shown), 1, size=(0.85 * time + 1.4, 0.85 * height / width + 0.3))
        for ax, row in zip(axes[:, 0], shown, strict=True):
            gap = np.full((height, 2, clip.shape[-1]), 255, np.uint8)
            strip = np.concatenate([part for frame in clip[row] for part in (frame, gap)][:-1], 1)
            ax.imshow(strip.squeeze(-1) if strip.shape[-1] == 1 else strip, cmap="gray", vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            best = said[row].argmax(-1)
            if label.ndim == 1:
                is_right = label[row] == best
                text = f"{called([label[row]], names)[0]}\nsaid: {called([best], names)[0]}\n({said[row].max():.0%})"
                ax.set_ylabel(text, rotation=0, ha="right", va="center", color="black" if is_right else COLORS[1])
                continue
            for t, (is_it, told) in enumerate(zip(called(label[row], names), called(best, names), strict=True)):
                text = is_it if is_it == told else f"{is_it}: {told}?"
                look = {"ha": "center", "va": "bottom", "fontsize": 7}
                ax.text(t * (width + 2) + width / 2, -1, text, color="black" if is_it == told else COLORS[1], **look)
        figure.suptitle(f"{title}; red: said wrongly ({is_wrong.sum():,} of {is_wrong.size:,})")
        return figure

    return draw


def clip_confusion(probability: str, *, label: np.ndarray, names: Names = ()) -> Draw:
    """Which classes of clips, or of their frames, were taken for which; arguments as of `filmstrips`."""

    def draw(outcome: Outcome) -> Figure:
        said = outcome.arrays[probability]
        noun = "clips" if label.ndim == 1 else "frames"
        return confusion(said.reshape(-1, said.shape[-1]), label=label.reshape(-1), names=names, noun=noun)

    return draw


def accuracy_by_change(models: Mapping[str, str], changes: Sequence[str], *, chance: float) -> Draw:
    """Accuracy of networks on clips as they are, "test", and on changed ones: means, and of several runs two errors.

    In a sweep each setting has a mark of its own.

    Args:
      models: names in metrics, and what they are called: the metric is "shuffled/lstm_accuracy".
      changes: probes, the first the test itself, from the top.
      chance: accuracy of a guess.
    """

    def draw(outcome: Outcome) -> Figure:
        settings = outcome.settings or ("",)
        rows = [(kind, at) for kind in models for at in range(len(settings))]

        def marks(ax, reader):
            keys = {}
            for k, (kind, at) in enumerate(rows):
                runs = np.array([_runs(outcome, f"{change}/{kind}_accuracy")[at] for change in changes])
                count = runs.shape[1]
                error = 2 * runs.std(1, ddof=1) / np.sqrt(count) if count > 1 else None
                place = np.arange(len(changes)) + 0.6 * ((k + 0.5) / len(rows) - 0.5)
                look = {"fmt": MARKS[k % len(MARKS)], "color": COLORS[k % len(COLORS)], "markersize": 4.5, "capsize": 2}
                name = models[kind] + (f", {settings[at]}" if settings[at] else "")
                keys[name] = ax.errorbar(runs.mean(1), place, xerr=error, **look)
            ax.set_yticks(np.arange(len(changes)), ["as they are", *changes[1:]])
            ax.invert_yaxis()
            ax.grid(axis="x", color="0.9")
            return keys

        frame = {"x_lim": (0, 1.02), "x_label": "accuracy", "verticals": {"chance": chance}}
        return page(
            [framed(marks, frame)], size=(5.4, 0.7 + 0.55 * len(changes)), title="Clips as they are, and changed"
        )(outcome)

    return draw


def _runs(outcome: Outcome, metric: str) -> np.ndarray:
    """`[settings, seeds]` of a metric where it was written last; one of each where there is one."""
    return outcome.curve(metric)[1][-1].reshape(max(len(outcome.settings), 1), -1)
