"""Poses: skeletons on their pictures, and how many joints are right."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.line import Line, lines
from adl.show.names import dots
from adl.show.panels import page
from adl.show.style import COLORS, Draw, panel

SHOWN = 12  # pictures
SIDES = {"right": COLORS[1], "left": COLORS[5], "": COLORS[2]}  # of the body, each in its colour


def skeletons(columns: Mapping[str, np.ndarray], bones: Sequence[tuple[int, int]], names: Sequence[str]) -> Draw:
    """What the probe "test" says of some pictures: bones as they are said, and where joints are.

    The left of a body is blue, its right red. A ring is where a joint is, dotted where it is hidden; the line from it
    goes to where it is said to be.

    Args:
      columns: "image" `[N, H, W, C]` uint8, "joints" `[N, J, 2]` in its pixels, "visible" and "known" `[N, J]`.
      bones: pairs of joints.
      names: of the J joints, "left knee".
    """
    side = [next((word for word in ("right", "left") if word in name), "") for name in names]

    def draw(outcome: Outcome) -> Figure:
        said = outcome.arrays["test/joints"]
        shown = np.linspace(0, len(said) - 1, min(SHOWN, len(said))).round().astype(int)
        figure, axes = panel(-(-len(shown) // 6), min(len(shown), 6), size=(1.6, 1.6))
        for ax in axes.flat[len(shown) :]:
            ax.axis("off")
        for ax, row in zip(axes.flat, shown, strict=False):
            _picture(ax, columns["image"][row])
            for a, b in bones:
                color = SIDES[side[a] if side[a] == side[b] else ""]
                ax.plot(*said[row, [a, b]].T, color=color, linewidth=1.6, solid_capstyle="round")
            for joint in np.flatnonzero(columns["known"][row]):
                place, is_seen = columns["joints"][row, joint], columns["visible"][row, joint]
                ax.plot(*np.stack([place, said[row, joint]]).T, color="white", linewidth=0.6)
                ring = {"edgecolors": "white", "linestyles": "-" if is_seen else ":", "linewidths": 0.8}
                ax.scatter(*place, s=14, facecolors="none", zorder=3, **ring)
        figure.suptitle("Poses: lines as said (left blue, right red), rings where joints are (dotted: hidden)")
        return figure

    return draw


def _picture(ax: Axes, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    ax.imshow(image, extent=(0, width, height, 0))
    ax.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    ax.spines[:].set_visible(False)


def pose_scores(names: Sequence[str], *, thresholds: np.ndarray, decoders: Sequence[str], pixels: str) -> Draw:
    """The share of right joints by threshold, of each joint, and by how places are read, beside the mean pose.

    Args:
      names: of the J joints.
      thresholds: `[K]` of the curves, in parts of the torso.
      decoders: ways to read a heat map, whose scores are metrics "test/pck_argmax", "test/error_argmax".
      pixels: what pixels are those of: "pixels of 64 x 64".
    """

    def draw(outcome: Outcome) -> Figure:
        said = outcome.of("test")
        shares = {"visible joints": "curve", "hidden joints": "hidden_curve", "mean pose": "mean_pose_curve"}
        of = [
            Line(said[name], label, style, color)
            for (label, name), (style, color) in zip(
                shares.items(), (("-", COLORS[0]), ("--", COLORS[0]), (":", "black")), strict=True
            )
            if name in said
        ]
        frame = {"x_label": "threshold (parts of the torso)", "y_label": "share of joints", "y_lim": (0, 1.02)}
        curve = lines(thresholds, *of, title="Right within", verticals={"PCK": 0.2}, legend="center right", **frame)
        each = dots(names, {"PCK@0.2": said["joint_pck"]}, title="Visible joints", x_label="PCK@0.2")
        errors = dots(names, {"error": said["joint_error"]}, title="Mean error", x_label=pixels)
        ways = _by_way(outcome, "error", decoders)
        read = dots(decoders, {"error": ways[0]}, error=ways[1], title="Heat maps read by", x_label=pixels)
        return page([curve, each], [read, errors], size=(3.6, 3.0), title="{test/pck:.1%} of visible joints are right")(
            outcome
        )

    return draw


def _by_way(outcome: Outcome, score: str, decoders: Sequence[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """Means `[D]` over runs, and of several runs their standard errors."""
    values = np.stack([np.ravel(outcome.curve(f"test/{score}_{name}")[1][-1]) for name in decoders])
    runs = values.shape[1]
    return values.mean(1), values.std(1, ddof=1) / np.sqrt(runs) if runs > 1 else None
