"""Linear classifiers side by side: what breast tumours and wines are called, how surely, and where the borders run.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 4. The run is logistic regression (softmax where there
are more than two classes) by Newton's method on all of the training split, standardised by its means and deviations;
every third row of the table is left for the test. All other classifiers are fitted at the end.

    python -m experiments.linear.classify
    python -m experiments.linear.classify --dataset wine

Expected of logistic regression on tumours: accuracy 0.974, 0.0571 nats, area under the ROC 0.9988; on wines 0.983 and
0.0828 nats; all as scikit-learn's. Seconds on 2 cores, once compiled.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Mean, repeated, until_still
from adl.linear import generative, glm
from adl.linear.perceptron import perceptron
from adl.measure import calibration, roc
from adl.prob.product import matmul

PASSES = 20  # of the perceptron over the data, which need not be separable
REG = 1e-6  # added to the variances of Gaussian classes
NEWTON = 12  # steps, at most, of the classifiers that are fitted at the end
PLANES = {"breast_cancer": ("mean radius", "mean concave points"), "wine": ("flavanoids", "color_intensity")}
UNITS = {
    "mean radius": "mean radius (standardised)",
    "mean concave points": "concave points (standardised)",
    "flavanoids": "flavanoids (standardised)",
    "color_intensity": "colour intensity (standardised)",
}
NUM_BINS = 5  # of the calibration that is drawn
GRID = 120  # points along each side of the plane that is drawn


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "breast_cancer"  # TFDS name, with "x" or "features" [D] and "label", all in its training split
    num_steps: run.Count = 10  # of Newton's method
    batch_size: run.Natural = 0  # rows a step; 0: all, as Newton's method wants it
    log_every: run.Count = 1
    eval_every: run.Count = 1
    penalty: run.Positive = 1.0  # of the squared weights, half of it, in nats: 1 / C of scikit-learn


TUMOURS = "breast_cancer: two of three rows to learn, 189 of 569 to test"
WINES = "wine: two of three rows to learn, 59 of 178 to test"
THEIRS = "scikit-learn's {}, fitted to the same rows: {}"
CLAIMS = (
    run.Claim(
        metric="test/accuracy",
        at_least=0.9735,
        protocol=f"{TUMOURS}; logistic regression",
        reference=THEIRS.format("LogisticRegression(C=1)", "0.9735"),
    ),
    run.Claim(
        metric="test/loss",
        at_most=0.0572,
        protocol=f"{TUMOURS}; logistic regression, −log p(label) in nats",
        reference=THEIRS.format("LogisticRegression(C=1)", "0.0571"),
    ),
    run.Claim(
        metric="test/auc",
        at_least=0.9987,
        protocol=f"{TUMOURS}; logistic regression, area under the ROC",
        reference=THEIRS.format("LogisticRegression(C=1)", "0.9988"),
    ),
    run.Claim(
        metric="others/Gaussian, tied auc",
        at_least=0.9878,
        protocol=f"{TUMOURS}; Gaussian classes of one covariance, area under the ROC",
        reference=THEIRS.format("LinearDiscriminantAnalysis", "0.9879"),
    ),
    run.Claim(
        metric="test/loss",
        at_most=0.0829,
        overrides={"dataset": "wine"},
        protocol=f"{WINES}; softmax regression, −log p(label) in nats",
        reference=THEIRS.format("LogisticRegression(C=1)", "0.0828"),
    ),
    run.Claim(
        metric="others/Gaussian, full accuracy",
        at_least=0.9999,
        overrides={"dataset": "wine"},
        protocol=f"{WINES}; Gaussian classes",
        reference=THEIRS.format("QuadraticDiscriminantAnalysis", "1.0"),
    ),
)
SMOKE = {"num_steps": 3}
SWEEP = "penalty=1,10"  # of the tests


class View(NamedTuple):
    """Standardised rows, and what they are."""

    x: np.ndarray  # [N, D]
    label: np.ndarray  # [N]
    test_x: np.ndarray  # [M, D]
    test_label: np.ndarray  # [M]
    names: list[str]  # [K] of the classes
    columns: list[str]  # [D]


# (rows [N, D], labels [N], other rows [M, D]) -> log-probabilities, or scores, [M, K]
Classifier = Callable[[Array, Array, Array], Array]


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Logistic regression, and all others beside it."""
    view = tables(cfg)
    num_classes = len(view.names)
    link = glm.bernoulli if num_classes == 2 else glm.softmax(num_classes)
    test = jnp.asarray(with_one(view.test_x))
    wanted = jnp.asarray(view.test_label)

    def look(key, weights):
        log_prob = log_probabilities(link, weights, test)
        seen = scores(log_prob, wanted)
        return {"loss": seen.pop("nll"), **seen, "weights": weights}

    def others(key, weights):
        seen = {}
        for name, classifier in classifiers(num_classes, cfg.penalty).items():
            outputs = classifier(*map(jnp.asarray, (view.x, view.label, view.test_x)))
            kept = ("accuracy", "auc", "nll") if name in PROBABILISTIC else ("accuracy", "auc")
            seen |= {name: outputs, **{f"{name} {what}": scores(outputs, wanted)[what] for what in kept}}
        return seen

    def regions(key, weights):
        """The classes that each classifier sees in a plane of two measurements, all of which it learns."""
        columns = plane(cfg.dataset, view)
        x = jnp.asarray(view.x[:, columns])
        points = jnp.asarray(np.stack(np.meshgrid(*spans(view.x[:, columns])), -1).reshape(-1, 2), jnp.float32)
        seen = {}
        for name, classifier in classifiers(num_classes, cfg.penalty).items():
            seen[name] = jax.nn.softmax(classifier(x, jnp.asarray(view.label), points)).reshape(GRID, GRID, -1)
            seen[f"{name} accuracy"] = (classifier(x, jnp.asarray(view.label), x).argmax(-1) == view.label).mean()
        return {**seen, "points": points}

    train = data.Split({"x": with_one(view.x), "y": view.label})
    figures = {"regions": regions_figure, "curves": curves_figure, "calibration": calibration_figure}
    figures |= {"scores": scores_figure, "newton": newton_figure}
    return run.Experiment(
        glm.irls(link, penalty=penalties(view.x.shape[1], cfg.penalty), axis=axis),
        data.shuffled(data.filled(train), cfg.batch_size) if cfg.batch_size else data.whole(train),
        probes={"test": look},
        final={"others": others, "regions": regions},
        figures=show.figures(**{name: functools.partial(draw, cfg=cfg, view=view) for name, draw in figures.items()}),
    )


def tables(cfg: Config) -> View:
    """Both splits, standardised by the means and deviations of the training split."""
    table = data.load(cfg.dataset, "train", cfg.data_dir).require("x", "label")
    x, label = np.asarray(table.arrays["x"], float), table.arrays["label"].astype(np.int32)
    is_test = np.arange(len(x)) % 3 == 2
    x = (x - x[~is_test].mean(0)) / x[~is_test].std(0)
    names = table.info.features["label"].names
    names = [f"class {name}" if name.isdigit() else name for name in names]
    return View(
        *(x[~is_test].astype("f"), label[~is_test], x[is_test].astype("f"), label[is_test]),
        names,
        column_names(cfg.dataset, x.shape[1]),
    )


def column_names(dataset: str, dim: int) -> list[str]:
    """Names of the measurements, where they are known."""
    from sklearn import datasets

    if dataset in PLANES:
        return list(getattr(datasets, f"load_{dataset}")().feature_names)
    return [f"measurement {i}" for i in range(dim)]


def plane(dataset: str, view: View) -> list[int]:
    """The two measurements that are drawn."""
    return [view.columns.index(name) for name in PLANES.get(dataset, view.columns[:2])]


def spans(x: np.ndarray) -> list[np.ndarray]:
    """The sides of the plane about points `[N, 2]`."""
    return [np.linspace(low, high, GRID) for low, high in zip(x.min(0) - 0.4, x.max(0) + 0.4, strict=True)]


def with_one(x: np.ndarray) -> np.ndarray:
    """Rows `[N, D]` and a constant: `[N, D + 1]`."""
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], 1)


def penalties(dim: int, penalty: float) -> Array:
    """`[D + 1]` of the weights; none of the constant's."""
    return penalty * jnp.ones(dim + 1).at[-1].set(0)


def log_probabilities(link: glm.Link, weights: Array, x: Array) -> Array:
    """`[N, K]` of the classes of rows `[N, D + 1]`."""
    eta = matmul(x, weights)
    return jax.nn.log_softmax(jnp.concatenate([jnp.zeros_like(eta), eta], 1) if link.num_outputs == 1 else eta)


def scores(outputs: Array, label: Array) -> dict[str, Mean]:
    """Of log-odds `[M, K]`: accuracy, likelihood, calibration, and the ROC's area, each class against the rest."""
    log_prob = jax.nn.log_softmax(outputs)

    def area(k):
        others = jnp.where(jnp.arange(outputs.shape[1])[None] == k, -jnp.inf, log_prob)
        # Log-odds keep their order where probabilities round to 1.
        score = log_prob[:, k] - jax.nn.logsumexp(others, 1)
        return roc.area_under_roc(roc.threshold_curve(score, label == k))

    areas = jax.vmap(area)(jnp.arange(outputs.shape[1]))
    return {**calibration.scores(log_prob, label), "auc": Mean.of(areas)}


def classifiers(num_classes: int, penalty: float) -> Mapping[str, Classifier]:
    """All, by name; least squares, perceptron and probit see each class against the rest."""

    def one(x):
        return jnp.concatenate([x, jnp.ones((len(x), 1))], 1)

    def newton(link, penalty):
        def fit(x, y):
            alg = glm.irls(link, penalty=penalties(x.shape[1], penalty))
            return until_still(alg, max_steps=NEWTON)(jax.random.key(0), {"x": one(x), "y": y})[0]

        return fit

    def against_the_rest(fit):
        def classify(x, label, new):
            targets = (label[None] == jnp.arange(num_classes)[:, None]).astype(x.dtype)
            return one(new) @ jax.vmap(lambda y: fit(x, y))(targets)[..., 0].T

        return classify

    def mistakes(x, y):
        rows = {"x": jnp.tile(one(x)[:, None], (PASSES, 1, 1)), "label": jnp.tile(y[:, None], (PASSES, 1))}
        alg = repeated(perceptron(), len(rows["x"]))
        return alg.step(jax.random.key(0), alg.init(jax.random.key(0), rows), rows)[0][:, None]

    def clouds(read):
        def classify(x, label, new):
            alg, batch = generative.gaussian_classes(num_classes), {"x": x, "label": label}
            return read(alg.step(jax.random.key(0), alg.init(jax.random.key(0), batch), batch)[0], new)

        return classify

    def gaussian(covariance):
        return clouds(functools.partial(generative.log_joint, covariance=covariance, reg_covar=REG))

    def nearest(classes, new):
        """By the distance to the classes' means along Fisher's directions."""
        directions = generative.fisher_directions(classes)
        away = (new @ directions)[:, None] - (classes.mean @ directions)[None]
        return -0.5 * jnp.square(away).sum(-1)

    def logistic(x, label, new):
        link = glm.bernoulli if num_classes == 2 else glm.softmax(num_classes)
        return log_probabilities(link, newton(link, penalty)(x, label), one(new))

    def probit(x, label, new):
        def probability(x, y, new):
            return glm.predict(glm.probit, newton(glm.probit, penalty)(x, y), one(new))

        of = jax.vmap(lambda k: probability(x, (label == k).astype(x.dtype), new))(jnp.arange(num_classes)).T
        return jnp.log(of.clip(1e-12))

    return {
        "least squares": against_the_rest(lambda x, y: newton(glm.normal, 1e-3)(x, 2 * y - 1)),
        "perceptron": against_the_rest(mistakes),
        "logistic": logistic,
        "probit": probit,
        "Fisher": clouds(nearest),
        "Gaussian, tied": gaussian("tied"),
        "Gaussian, full": gaussian("full"),
        "naive Bayes": gaussian("diag"),
    }


def peers(view: View, penalty: float) -> dict[str, np.ndarray]:
    """Scikit-learn's classifiers of the same names, fitted to the same rows: scores `[M, K]`, where they have any."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
    from sklearn.naive_bayes import GaussianNB

    machines = {
        "least squares": RidgeClassifier(alpha=1e-3),
        "perceptron": Perceptron(max_iter=PASSES, tol=None, shuffle=False),
        "logistic": LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=10000),
        "Gaussian, tied": LinearDiscriminantAnalysis(solver="lsqr"),
        "Gaussian, full": QuadraticDiscriminantAnalysis(reg_param=REG, tol=REG),
        "naive Bayes": GaussianNB(),
    }
    found = {}
    for name, machine in machines.items():
        machine.fit(view.x.astype(float), view.label)
        if hasattr(machine, "predict_log_proba"):
            found[name] = machine.predict_log_proba(view.test_x.astype(float))
        else:
            score = machine.decision_function(view.test_x.astype(float))
            found[name] = np.stack([-score, score], 1) if score.ndim == 1 else score
    return found


PROBABILISTIC = ("logistic", "Gaussian, tied", "Gaussian, full", "naive Bayes")


def regions_figure(outcome: run.Outcome, *, cfg: Config, view: View) -> Figure:
    """Decision regions of all classifiers on one page; paler where a classifier is less sure."""
    columns = plane(cfg.dataset, view)
    sides = spans(view.x[:, columns])
    colors = np.array([matplotlib.colors.to_rgb(color) for color in show.COLORS])
    names = list(classifiers(len(view.names), cfg.penalty))
    figure, axes = show.panel(2, 4, size=(2.5, 2.5))
    for ax, name in zip(axes.flat, names, strict=True):
        p = outcome.arrays[f"regions/{name}"]
        winner, sure = p.argmax(-1), (p.max(-1) * p.shape[-1] - 1) / (p.shape[-1] - 1)
        shade = 0.12 + 0.33 * sure[..., None] if name in (*PROBABILISTIC, "probit") else 0.35
        box = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
        ax.imshow(1 - shade * (1 - colors[winner]), origin="lower", extent=box, aspect="auto", interpolation="bilinear")
        for k in range(len(view.names)):
            ax.plot(*view.x[view.label == k][:, columns].T, "o", color=colors[k], markersize=2, label=view.names[k])
            ax.contour(*sides, winner == k, [0.5], colors="black", linewidths=0.7)
        ax.set_title(f"{name}: {outcome.arrays[f'regions/{name} accuracy']:.1%}")
        ax.set(xlim=box[:2], ylim=box[2:])
    for ax in axes[-1]:
        ax.set_xlabel(UNITS.get(view.columns[columns[0]], view.columns[columns[0]]))
    for ax in axes[:, 0]:
        ax.set_ylabel(UNITS.get(view.columns[columns[1]], view.columns[columns[1]]))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8, frameon=False, markerscale=2
    )
    return figure


def curves_figure(outcome: run.Outcome, *, cfg: Config, view: View) -> Figure:
    """ROC and precision-recall of the first class against the rest; scikit-learn's curves are dotted over ours."""
    from sklearn import metrics

    theirs, positive = peers(view, cfg.penalty), view.test_label == 0
    figure, axes = show.panel(1, 2, size=(3.6, 3.4))
    for name, color in zip(PROBABILISTIC, show.COLORS, strict=False):
        log_prob = np.asarray(jax.nn.log_softmax(outcome.arrays[f"others/{name}"]))
        curve = roc.threshold_curve(jnp.asarray(log_odds(log_prob)), jnp.asarray(positive))
        area, average = roc.area_under_roc(curve), roc.average_precision(curve)
        score = log_odds(theirs[name])
        axes[0, 0].plot(*curve[1:3], color=color, label=f"{name}: {area:.4f}")
        axes[0, 1].plot(curve.true_positive_rate[1:], curve.precision[1:], color=color, label=f"{name}: {average:.4f}")
        dotted = {"color": "black", "linestyle": ":", "linewidth": 1}
        axes[0, 0].plot(*metrics.roc_curve(positive, score)[:2], **dotted)
        precision, recall, _ = metrics.precision_recall_curve(positive, score)
        axes[0, 1].plot(recall[:-1], precision[:-1], **dotted)
    axes[0, 0].set(xlabel="false positive rate", ylabel="true positive rate", title="ROC, and its area")
    axes[0, 1].set(xlabel="recall", ylabel="precision", title="Average precision")
    axes[0, 0].set(xlim=(-0.01, 0.31), ylim=(0.69, 1.005))
    axes[0, 1].set(xlim=(0.69, 1.005), ylim=(0.69, 1.005))
    for ax in axes[0]:
        ax.legend(loc="lower center", fontsize=8, frameon=False)
    figure.suptitle(f"{view.names[0]} against the rest; dotted: scikit-learn", fontsize=9)
    return figure


def log_odds(log_prob: np.ndarray) -> np.ndarray:
    """Log-odds `[M]` of the first class of `[M, K]`, which keep their order where probabilities round to 1."""
    return log_prob[:, 0] - np.logaddexp.reduce(log_prob[:, 1:], 1)


def calibration_figure(outcome: run.Outcome, *, cfg: Config, view: View) -> Figure:
    """How often each classifier is right when it is how sure; scikit-learn's as crosses."""
    theirs = peers(view, cfg.penalty)
    figure, axes = show.panel(1, 4, size=(2.2, 3.0))
    for ax, name, color in zip(axes[0], PROBABILISTIC, show.COLORS, strict=False):
        ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
        found = (("adl", outcome.arrays[f"others/{name}"], "o-", color), ("scikit-learn", theirs[name], "x", "black"))
        for label, outputs, style, shade in found:
            probability = np.asarray(jax.nn.softmax(jnp.asarray(outputs, jnp.float32)))[:, 0]
            index = np.clip((probability * NUM_BINS).astype(int), 0, NUM_BINS - 1)
            seen = [index == i for i in range(NUM_BINS) if (index == i).any()]
            said, came = ([values[rows].mean() for rows in seen] for values in (probability, view.test_label == 0))
            ax.plot(said, came, style, color=shade, markersize=5, label=label)
        error = calibration.expected_calibration_error(
            calibration.reliability(jax.nn.softmax(outcome.arrays[f"others/{name}"]), view.test_label, num_bins=10)
        )
        ax.set(title=f"{name}\nECE {error:.3f}", xlabel=f"said p({view.names[0]})", aspect="equal")
    axes[0, 0].set_ylabel(f"share that is {view.names[0]}")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return figure


def scores_figure(outcome: run.Outcome, *, cfg: Config, view: View) -> Figure:
    """Accuracy and area under the ROC of all classifiers beside scikit-learn's."""
    theirs = peers(view, cfg.penalty)
    names = list(classifiers(len(view.names), cfg.penalty))
    figure, axes = show.panel(1, 2, size=(3.4, 3.0))
    for ax, what in zip(axes[0], ("accuracy", "auc"), strict=True):

        def value(outputs, what=what):
            return float(scores(jnp.asarray(outputs, jnp.float32), jnp.asarray(view.test_label))[what].value)

        ours = [value(outcome.arrays[f"others/{name}"]) for name in names]
        ax.plot(ours, range(len(names)), "o", markersize=6, label="adl")
        ax.plot(
            [value(theirs[name]) for name in names if name in theirs],
            [i for i, name in enumerate(names) if name in theirs],
            "kx",
            markersize=6,
            label="scikit-learn",
        )
        ax.set_yticks(range(len(names)), names if what == "accuracy" else [""] * len(names))
        ax.invert_yaxis()
        ax.grid(axis="x", color="0.9")
        ax.set_xlabel("accuracy, test" if what == "accuracy" else "area under the ROC, mean over classes, test")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return figure


def newton_figure(outcome: run.Outcome, *, cfg: Config, view: View) -> Figure:
    """Logistic regression, Newton step by Newton step."""
    return show.curves(
        {"training rows, before the step": "train/loss", "test rows": "test/loss"},
        y_label="−log p(label), mean (nats)",
        title="Newton's method",
        y_scale="log",
    )(outcome)


if __name__ == "__main__":
    run.main(__name__)
