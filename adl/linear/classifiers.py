"""Linear classifiers side by side: each learns rows with their labels, and says how other rows stand to each class.

All are `classify(x [N, D], label [N], new [M, D]) -> [M, K]`: log-probabilities up to a constant of the row where a
classifier has them, scores of which the highest wins where not. Rows get their constant here; K classes, 0 ... K - 1.
Source: Bishop 2006, Pattern Recognition and Machine Learning, chapter 4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from adl.core import repeated, until_still
from adl.core.types import Array
from adl.linear import generative, glm
from adl.linear.basis import with_one
from adl.linear.perceptron import perceptron

Classifier = Callable[[Array, Array, Array], Array]
KEY = jax.random.key  # of what has no luck


def by_name(num_classes: int, *, penalty: Array | float, reg_covar: float = 1e-6) -> dict[str, Classifier]:
    """All that are here.

    Args:
      num_classes: K >= 2.
      penalty: of `logistic` and `probit`.
      reg_covar: of `gaussian`.
    """
    return {
        "least squares": least_squares(num_classes),
        "perceptron": mistakes(num_classes),
        "logistic": logistic(num_classes, penalty=penalty),
        "probit": probit(num_classes, penalty=penalty),
        "Fisher": fisher(num_classes),
        "Gaussian, tied": gaussian(num_classes, "tied", reg_covar=reg_covar),
        "Gaussian, full": gaussian(num_classes, "full", reg_covar=reg_covar),
        "naive Bayes": gaussian(num_classes, "diag", reg_covar=reg_covar),
    }


def penalties(dim: int, penalty: Array | float) -> Array:
    """`[D + 1]` of the weights; none of the constant's."""
    return penalty * jnp.ones(dim + 1).at[-1].set(0)


def logistic(num_classes: int, *, penalty: Array | float, max_steps: int = 12) -> Classifier:
    """Logistic regression; of more than two classes softmax regression.

    Args:
      num_classes: K >= 2.
      penalty: > 0, half of which the squared weights cost, in nats: 1 / C of scikit-learn.
      max_steps: of Newton's method.
    """
    link = glm.of_classes(num_classes)

    def classify(x, label, new):
        return glm.log_probabilities(link, _newton(link, x, label, penalty, max_steps), with_one(new))

    return classify


def probit(num_classes: int, *, penalty: Array | float, max_steps: int = 12) -> Classifier:
    """Probit regression of each class against the rest; arguments as of `logistic`."""

    def probability(x, y, new):
        return glm.predict(glm.probit, _newton(glm.probit, x, y, penalty, max_steps), with_one(new))

    against = _against_the_rest(probability, num_classes)
    return lambda x, label, new: jnp.log(against(x, label, new).clip(1e-12))


def least_squares(num_classes: int, *, penalty: float = 1e-3) -> Classifier:
    """Regression of +1 for each class and -1 for the rest; `penalty` as of ridge regression."""

    def score(x, y, new):
        return (with_one(new) @ _newton(glm.normal, x, 2 * y - 1, penalty, 12))[:, 0]

    return _against_the_rest(score, num_classes)


def mistakes(num_classes: int, *, num_passes: int = 20) -> Classifier:
    """Perceptrons of each class against the rest, row by row; the data need not be separable, and so it has an end."""

    def score(x, y, new):
        label = y[:, None].astype(jnp.int32)
        rows = {"x": jnp.tile(with_one(x)[:, None], (num_passes, 1, 1)), "label": jnp.tile(label, (num_passes, 1))}
        alg = repeated(perceptron(), len(rows["x"]))
        return with_one(new) @ alg.step(KEY(0), alg.init(KEY(0), rows), rows)[0]

    return _against_the_rest(score, num_classes)


def gaussian(num_classes: int, covariance: generative.Covariance, *, reg_covar: float = 1e-6) -> Classifier:
    """Classes as clouds; arguments as of `generative.log_joint`."""

    def classify(x, label, new):
        return generative.log_joint(_clouds(num_classes, x, label), new, covariance=covariance, reg_covar=reg_covar)

    return classify


def fisher(num_classes: int) -> Classifier:
    """By the distance to the classes' means along Fisher's directions."""

    def classify(x, label, new):
        classes = _clouds(num_classes, x, label)
        directions = generative.fisher_directions(classes)
        away = (new @ directions)[:, None] - (classes.mean @ directions)[None]
        return -0.5 * jnp.square(away).sum(-1)

    return classify


def _against_the_rest(score: Callable[[Array, Array, Array], Array], num_classes: int) -> Classifier:
    """Of `score(x [N, D], y [N] of 0 and 1, new [M, D]) -> [M]`, one for each class."""

    def classify(x, label, new):
        targets = (label[None] == jnp.arange(num_classes)[:, None]).astype(x.dtype)
        return jax.vmap(lambda y: score(x, y, new))(targets).T

    return classify


def _newton(link: glm.Link, x: Array, y: Array, penalty: Array | float, max_steps: int) -> Array:
    alg = glm.irls(link, penalty=penalties(x.shape[1], penalty))
    return until_still(alg, max_steps=max_steps)(KEY(0), {"x": with_one(x), "y": y})[0]


def _clouds(num_classes: int, x: Array, label: Array) -> generative.Classes:
    alg, batch = generative.gaussian_classes(num_classes), {"x": x, "label": label}
    return alg.step(KEY(0), alg.init(KEY(0), batch), batch)[0]
