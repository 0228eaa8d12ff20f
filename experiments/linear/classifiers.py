"""Linear classifiers side by side: what tumours and wines are called, how surely, and at what price of false alarms.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 4. Eight classifiers learn two of three rows of a table,
standardised by their means and deviations, and are tested on every third; scikit-learn's of the same names, fitted to
the same rows, stand beside them.

    python -m experiments.linear.classifiers
    python -m experiments.linear.classifiers --dataset wine

Expected: areas under the ROC and accuracies as scikit-learn's, of Gaussian classes 0.9879 (tied, tumours) and 1 (full,
wines). Seconds on 2 cores, once compiled.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean
from adl.data import tables
from adl.linear import classifiers
from adl.measure import calibration, roc

PROBABILISTIC = ("logistic", "Gaussian, tied", "Gaussian, full", "naive Bayes")
REG = 1e-6  # added to the variances of Gaussian classes
THEIRS = "scikit-learn, C = 1"  # of the legends


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the first claim is about."""

    dataset: str = "breast_cancer"  # TFDS name, with "x" or "features" [D] and "label", all in its training split
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

Judged = dict[str, Mean | Array]


def load(cfg: Config) -> tuple[tables.Labels, tables.Labels, dict[str, Judged]]:
    """Rows to learn from, rows to test, and what scikit-learn makes of them."""
    train, test = tables.labels(cfg.dataset, cfg.data_dir)
    return train, test, {name: judged(name, outputs, test.label) for name, outputs in peers(train, test).items()}


def build(cfg: Config, loaded: tuple, axis: str | None) -> run.Experiment:
    """All classifiers on the same rows."""
    train, test, theirs = loaded
    names = classifiers.by_name(len(train.classes), penalty=cfg.penalty, reg_covar=REG)

    def others(rows, key, state):
        x, label, new, wanted = rows
        seen = {}
        for name, classify in names.items():
            for what, value in judged(name, classify(x, label, new), wanted).items():
                seen[f"{name} {what}"] = value
        for what in ("accuracy", "auc"):
            seen[what] = jnp.stack([seen[f"{name} {what}"].value for name in names])
        return seen

    rows = (train.x, train.label, test.x, test.label)
    return run.Experiment(
        final={"others": Partial(others, rows)},
        figures=show.figures(
            scores=scores_page(list(names), theirs),
            curves=curves_page(test.classes[0], theirs),
            calibration=calibration_page(test.classes[0], theirs),
        ),
    )


def judged(name: str, outputs: Array, label: Array) -> Judged:
    """Of log-odds or scores `[M, K]`; of those that are probable, too, all of the first class against the rest."""
    log_prob = jax.nn.log_softmax(jnp.asarray(outputs, jnp.float32))
    scores, first = calibration.scores(log_prob, label, num_bins=10), label == 0
    seen = {"accuracy": scores["accuracy"], "auc": Mean.of(roc.mean_area(log_prob, label))}
    if name not in PROBABILISTIC:
        return seen
    curve = roc.threshold_curve(roc.log_odds(log_prob, 0), first)
    bins = calibration.binned(jnp.exp(log_prob[:, 0]), first, num_bins=5)
    return {
        **{**seen, "nll": scores["nll"], "ece": scores["ece"].value, **curve._asdict()},
        **{"area": roc.area_under_roc(curve), "average precision": roc.average_precision(curve)},
        **{"said": bins.confidence / bins.count, "came": bins.correct / bins.count},
    }


def peers(train: tables.Labels, test: tables.Labels) -> dict[str, np.ndarray]:
    """Scikit-learn's classifiers of the same names: log-probabilities or scores `[M, K]`."""
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
    found = {}
    for name, machine in machines.items():
        machine.fit(train.x.astype(float), train.label)
        look = machine.predict_log_proba if name in PROBABILISTIC else machine.decision_function
        score = look(test.x.astype(float))
        found[name] = np.stack([-score, score], 1) if score.ndim == 1 else score
    return found


def scores_page(names: list[str], theirs: dict[str, Judged]) -> show.Draw:
    """Accuracy and area under the ROC of all classifiers beside scikit-learn's."""
    panels = [
        show.dots(
            names,
            {"adl": f"others/{what}", THEIRS: [theirs[n][what].value if n in theirs else np.nan for n in names]},
            x_label=label,
        )
        for what, label in {"accuracy": "accuracy, test", "auc": "area under the ROC, mean over classes, test"}.items()
    ]
    return show.page(panels, size=(3.9, 3.0))
