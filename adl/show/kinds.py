"""Accuracy by kind of text: on what is like the training texts, and on what is not."""

from collections.abc import Mapping, Sequence

from adl.show.names import marks
from adl.show.panels import page
from adl.show.style import Draw

TITLES = {"test": "Texts like those in training", "beyond": "Beyond training"}


def kinds_of_texts(names: Mapping[str, str], kinds: Mapping[str, Sequence[str]]) -> dict[str, Draw]:
    """The figure `kinds`, a panel a probe, as `sequence.text_judges.texts_judged` has them; none where texts are alike.

    Args:
      names: what the figure calls each model, by the NAME of its arrays "probe/NAME_kinds".
      kinds: of each probe.
    """
    panels = [
        marks(
            of,
            {told: f"{probe}/{name}_kinds" for name, told in names.items()},
            title=TITLES[probe],
            x_lim=(-0.04, 1.04),
        )
        for probe, of in kinds.items()
        if of
    ]
    return {"kinds": page(panels, x_label="accuracy", title="Accuracy by kind")} if panels else {}
