"""Linear classifiers side by side: what tumours and wines are called, how surely, and at what price of false alarms.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 4. Eight classifiers learn two of three rows of a table,
standardised, and are tested on every third; scikit-learn's of the same names, fitted to the same, stand beside them.

    python -m experiments.linear.classifiers
    python -m experiments.linear.classifiers --dataset wine

Expected: as scikit-learn's, of Gaussian classes 0.9879 (area, tied, tumours) and 1 (accuracy, full, wines). Seconds.
"""

import contextlib
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import run, show
from adl.data import tables
from adl.linear import classifiers
from adl.measure import classification
from adl.measure.classification import OneClass

PROBABILISTIC = ("logistic", "Gaussian, tied", "Gaussian, full", "naive Bayes")
REG = 1e-6  # added to the variances of Gaussian classes
NAMES = tuple(classifiers.by_name(2, penalty=1.0))


@dataclass(frozen=True)
class Config(run.Table, run.Study):
    """The default is the study that the first claim is about."""

    dataset: str = "breast_cancer"  # TFDS name, or path, of any table
    penalty: run.Positive = 1.0  # of the squared weights, half of it, in nats: 1 / C of scikit-learn


CLAIMS = (
    run.Claim(
        metric="others/Gaussian, tied auc",
        at_least=0.9878,
        protocol=f"{tables.PROTOCOLS['breast_cancer']}; Gaussian classes of one covariance, area under the ROC",
        reference="scikit-learn's LinearDiscriminantAnalysis, fitted to the same rows: 0.9879",
    ),
    run.Claim(
        metric="others/Gaussian, full accuracy",
        at_least=0.9999,
        overrides={"dataset": "wine"},
        protocol=f"{tables.PROTOCOLS['wine']}; Gaussian classes",
        reference="scikit-learn's QuadraticDiscriminantAnalysis, fitted to the same rows: 1.0",
    ),
)
SMOKE = {}
SWEEP = "penalty=1,10"  # of the tests


class Loaded(NamedTuple):
    """Rows to learn from, rows to test, and what scikit-learn makes of the latter."""

    train: tables.Labels
    test: tables.Labels
    scores: dict[str, list[float]]  # accuracy and area of each classifier, nan where there is none
    curves: dict[str, OneClass]


def load(cfg: Config) -> Loaded:
    """Both kinds of rows, and scikit-learn's classifiers."""
    train, test = tables.labels(cfg.dataset, **cfg.table)
    theirs = {name: jnp.asarray(outputs, jnp.float32) for name, outputs in peers(train, test).items()}
    scores = {name: classification.scores(outputs, test.label) for name, outputs in theirs.items()}
    of = {w: [float(scores[n][w].value) if n in scores else np.nan for n in NAMES] for w in ("accuracy", "auc")}
    curves = {n: OneClass.of(theirs[n], test.label) for n in PROBABILISTIC if n in theirs}
    return Loaded(train, test, of, curves)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """All classifiers on the same rows."""
    train, test, peers_scores, curves = loaded
    found = classifiers.by_name(len(train.classes), penalty=cfg.penalty, reg_covar=REG)

    def others(rows, key, state):
        (x, label, new, wanted), seen = rows, {}
        for name in NAMES:
            outputs = found[name](x, label, new)
            scores, probable = classification.scores(outputs, wanted), name in PROBABILISTIC
            seen |= {f"{name} {what}": scores[what] for what in ("accuracy", "auc", *(["nll"] if probable else []))}
            if probable:
                seen |= {f"{name} {field}": value for field, value in OneClass.of(outputs, wanted)._asdict().items()}
        return seen | {w: jnp.stack([seen[f"{name} {w}"].value for name in NAMES]) for w in ("accuracy", "auc")}

    ours = {name: OneClass(*(f"others/{name} {field}" for field in OneClass._fields)) for name in PROBABILISTIC}
    first, words = test.classes[0], ("adl", "scikit-learn, C = 1")
    axes = {"accuracy": "accuracy, test", "auc": "area under the ROC, mean over classes, test"}
    pair = {what: dict(zip(words, (f"others/{what}", peers_scores[what]), strict=True)) for what in axes}
    return run.Experiment(
        final={"others": Partial(others, (train.x, train.label, test.x, test.label))},
        figures=show.figures(
            scores=show.page([show.dots(NAMES, pair[what], x_label=axes[what]) for what in axes], size=(3.9, 3.0)),
            curves=show.threshold_curves(ours, curves, title=f"{first} against the rest; dotted: {words[1]}"),
            calibration=show.reliability(ours, curves, event=first, words=words),
        ),
    )


def peers(train: tables.Labels, test: tables.Labels) -> dict[str, np.ndarray]:
    """Scikit-learn's classifiers of the same names, where they can be: log-probabilities or scores `[M, K]`."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
    from sklearn.naive_bayes import GaussianNB

    machines = {
        "least squares": RidgeClassifier(alpha=1e-3),
        "perceptron": Perceptron(max_iter=20, tol=None, shuffle=False),
        "logistic": LogisticRegression(C=1.0, tol=1e-8, max_iter=10000),
        "Gaussian, tied": LinearDiscriminantAnalysis(solver="lsqr"),
        "Gaussian, full": QuadraticDiscriminantAnalysis(reg_param=REG, tol=REG),
        "naive Bayes": GaussianNB(),
    }
    found, new = {}, test.x.astype(float)
    for name, machine in machines.items():
        with contextlib.suppress(np.linalg.LinAlgError):  # where a class has a measurement that stays
            machine.fit(train.x.astype(float), train.label)
            score = (machine.predict_log_proba if name in PROBABILISTIC else machine.decision_function)(new)
            found[name] = np.stack([-score, score], 1) if score.ndim == 1 else score
    return found


if __name__ == "__main__":
    run.main(__name__)
