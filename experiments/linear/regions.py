"""Where the borders run: what eight linear classifiers call the points of a plane of two measurements.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 4. They learn two measurements of tumours or wines, and
all points of the plane are shown as each sees them, paler where it is less sure.

    python -m experiments.linear.regions
    python -m experiments.linear.regions --dataset wine

Expected: 90.8 % of the tumours are on the right side of logistic regression's line, as of scikit-learn's. Seconds on 2
cores, once compiled.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean
from adl.data import tables
from adl.linear import classifiers

PLANES = {"breast_cancer": ("mean radius", "mean concave points"), "wine": ("flavanoids", "color intensity")}
SURE = ("logistic", "probit", "Gaussian, tied", "Gaussian, full", "naive Bayes")  # the others only decide
NAMES = tuple(classifiers.by_name(2, penalty=1.0))
TITLE = "Share of the rows to learn from that each calls right"
GRID = 120  # points along each side of the plane


@dataclass(frozen=True)
class Config(run.Table, run.Study):
    """The default is the study that the first claim is about."""

    dataset: str = "breast_cancer"  # TFDS name, or path, of any table
    penalty: run.Positive = 1.0  # of the squared weights, half of it, in nats: 1 / C of scikit-learn


PROTOCOL = "two of three rows of {}, two measurements; share that logistic regression, which learned them, calls right"
THEIRS = "scikit-learn's LogisticRegression(C=1), fitted to the same rows: {}"
CLAIMS = (
    run.Claim(
        metric="regions/logistic accuracy",
        at_least=0.9078,
        protocol=PROTOCOL.format("breast_cancer"),
        reference=THEIRS.format("0.9079"),
    ),
    run.Claim(
        metric="regions/logistic accuracy",
        at_least=0.8990,
        overrides={"dataset": "wine"},
        protocol=PROTOCOL.format("wine"),
        reference=THEIRS.format("0.8992"),
    ),
)
SMOKE = {}
SWEEP = "penalty=1,10"  # of the tests


def load(cfg: Config) -> tables.Labels:
    """Rows of the two measurements that are drawn."""
    train, _ = tables.labels(cfg.dataset, **cfg.table)
    drawn = PLANES.get(cfg.dataset, train.columns[:2])
    columns = [train.columns.index(name) for name in drawn]
    return train._replace(x=train.x[:, columns], columns=[f"{name} (sd)" for name in drawn])


def build(cfg: Config, loaded: tables.Labels, axis: str | None) -> run.Experiment:
    """The plane, as each classifier sees it."""
    ends = zip(loaded.x.min(0) - 0.4, loaded.x.max(0) + 0.4, strict=True)
    sides = tuple(np.linspace(low, high, GRID) for low, high in ends)
    points = np.stack(np.meshgrid(*sides), -1).reshape(-1, 2).astype("f")
    found = classifiers.by_name(len(loaded.classes), penalty=cfg.penalty)

    def regions(rows, key, state):
        x, label, points = rows
        seen = {}
        for name in NAMES:
            outputs = found[name](x, label, jnp.concatenate([points, x]))
            outputs, again = outputs[: len(points)], outputs[len(points) :]
            decided = jax.nn.one_hot(outputs.argmax(-1), len(loaded.classes))
            seen[name] = (jax.nn.softmax(outputs) if name in SURE else decided).reshape(GRID, GRID, -1)
            seen[f"{name} accuracy"] = Mean.of((again.argmax(-1) == label).astype(jnp.float32))
        return seen

    panels = [
        show.regions(
            *(sides, f"regions/{name}", loaded.x, loaded.label, loaded.classes),
            title=f"{name}: {{regions/{name} accuracy:.1%}}",
        )
        for name in NAMES
    ]
    labels = dict(zip(("x_label", "y_label"), loaded.columns, strict=True))
    return run.Experiment(
        final={"regions": Partial(regions, (loaded.x, loaded.label, points))},
        figures=show.figures(regions=show.page(panels[:4], panels[4:], size=(2.5, 2.5), title=TITLE, **labels)),
    )


if __name__ == "__main__":
    run.main(__name__)
