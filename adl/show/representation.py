"""Representations: what a linear probe reads in them, by the step."""

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curves import curves


def linear_probe(outcome: Outcome) -> Figure:
    """Accuracy by the step, of the probe "test", and that of its references, of the final probe "probe"."""
    return curves(
        {"representation": "test/accuracy"},
        y_label="accuracy on the test split",
        title="Linear probe",
        references={f"{name} {{:.1%}}": f"probe/{name}" for name in ("pixels", "untrained")},
    )(outcome)
