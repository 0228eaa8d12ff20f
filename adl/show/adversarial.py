"""Adversarial examples: pictures before and after an attack, and what networks say of them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.line import Line, lines
from adl.show.names import Names, called
from adl.show.panels import page
from adl.show.style import COLORS, Draw, panel, styled


def attacked(probe: str, rows: Mapping[str, str], *, names: Names = (), title: str = "") -> Draw:
    """Pictures in rows, what a network says of each with its confidence, blue where it is right; and the changes.

    Under each row of pictures that an attack changed is the change, black down, white up, grey none.

    Args:
      probe: that returned `label` `[P]`, and of each row "image NAME" `[P, H, W, C]` in [0, 1] and "said NAME" `[P, K]`
        probabilities; the first row is what was there before.
      rows: their texts by NAME.
      names: of the classes.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        seen, (first, *others) = outcome.of(probe), rows
        before, label = seen[f"image {first}"], seen["label"]
        figure, axes = panel(1 + 2 * len(others), len(label), size=(1.1, 1.25))
        _row(axes[0], rows[first], before, seen[f"said {first}"], label, names)
        for k, name in enumerate(others):
            after = seen[f"image {name}"]
            _row(axes[1 + 2 * k], rows[name], after, seen[f"said {name}"], label, names)
            change = after - before
            shown = 0.5 + change / max(2 * np.abs(change).max(), 1e-12)
            _row(axes[2 + 2 * k], f"its change\n(to {np.abs(change).max():.2f})", shown)
        figure.suptitle(title)
        return figure

    return draw


def under_attack(
    probe: str, norms: Mapping[str, str], networks: Mapping[str, str], *, steps: int, title: str = ""
) -> Draw:
    """Accuracy for each radius, a panel a norm, a colour a network, dashed under FGSM; bars of two standard errors.

    Args:
      probe: that returned what `vision.robustness.accuracies` gives, after the name of the norm.
      norms: titles by their names.
      networks: texts by their names.
      steps: of PGD.
      title: of the figure.
    """
    panels = [
        lines(
            f"{probe}/{norm} radius",
            *(
                Line(
                    f"{probe}/{norm} {name} {kind}",
                    f"{how}, {text}",
                    style,
                    color,
                    error=f"{probe}/{norm} {name} {kind}_error",
                )
                for (name, how), color in zip(networks.items(), COLORS, strict=False)
                for kind, text, style in (("fgsm", "FGSM", "o--"), ("pgd", f"PGD-{steps}", "o-"))
            ),
            **{"title": text, "x_label": "radius", "y_lim": (0, 1.02)},
        )
        for norm, text in norms.items()
    ]
    return page(panels, size=(3.6, 2.9), y_label="accuracy", title=title)


def _row(
    axes: np.ndarray,
    text: str,
    images: np.ndarray,
    said: np.ndarray | None = None,
    label: np.ndarray | None = None,
    names: Names = (),
) -> None:
    for i, (ax, image) in enumerate(zip(axes, images, strict=True)):
        framed_picture(ax, image)
        if said is not None:
            k = said[i].argmax()
            ax.set_title(f"{called([k], names)[0]} {said[i, k]:.0%}", fontsize=7, color=COLORS[int(k != label[i])])
    axes[0].set_ylabel(text, fontsize=7)


def framed_picture(ax: Axes, image: np.ndarray) -> None:
    """A picture `[H, W, 1 or 3]` in [0, 1] in a thin frame, without ticks."""
    ax.imshow(np.clip(image, 0, 1).repeat(3 // image.shape[-1], -1), vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color="0.75")
