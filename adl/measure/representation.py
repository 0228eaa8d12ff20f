"""Representations: how much of the classes a frozen one makes linearly readable.

The linear probe is multinomial logistic regression, the linear classifier of greatest likelihood:

    p(k | x) = softmax(W^T x + b)_k,   minimise   mean_n -log p(label_n | x_n) + l2 / 2 |W|^2

The objective is convex, so that the fit has one answer: no seed, no learning rate, no stopping by a test set.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Mean, Probe, State, full_pass, tree
from adl.core.types import Array
from adl.prob.labels import cross_entropy, is_correct
from adl.prob.product import matmul

# What `linear_probe` measures, for the protocols of claims; and what others reach on digits, for their references.
PROTOCOL = {
    "accuracy": "softmax regression on the frozen features of the training split (standardised, C = 1), tested on the "
    "test split",
    "margin": "softmax regression on the frozen features of the training split (standardised, C = 1), tested on the "
    "test split, less the better of the same probe of pixels and of the untrained network",
}
DIGITS = {
    "accuracy": "with labels on the same split: SVC with an RBF kernel 0.958, this repository's ResNet 0.989",
    "margin": "pixels 0.897, untrained networks 0.924",
}
Fit = Callable[..., "LinearMap"]  # (x [N, D], label [N], *, num_classes, l2) -> weights
Represent = Callable[[Key, State, Array], Array]  # (key, state, images [B, ...]) -> features [B, D]
NUM_STEPS = 1000  # at most; some dozens to some hundreds suffice
TOLERANCE = 1e-6  # Euclidean norm of the gradient, in nats, at which a fit has converged


def linear_probe(
    represent: Represent,
    train: data.Split,
    test: data.Split,
    *,
    num_classes: int,
    l2: float | None = None,
    references: Mapping[str, Represent] = {},
    fit: Fit | None = None,
) -> Probe:
    """Probe: a linear classifier of the features of one split, tested on those of another.

    Features are standardised by their means and deviations on the training split; the fit is convex, and has no luck.

    Args:
      represent: the features.
      train: "image" and "label", all of which are fitted.
      test: "image" and "label", all of which are tested.
      num_classes: K >= 2.
      l2: > 0, as in `softmax_regression`; None: 1 / N, which is C = 1 in scikit-learn.
      references: other features, to compare with.
      fit: the classifier; None: `softmax_regression`.
    Returns:
      `probe(key, state)`: `accuracy` on the test split; that of each reference, by its name, and the `margin` over the
      best of them where there are any; and the test split's `features` `[M, D]`, as they came.
    Source: Alain & Bengio 2016, arXiv:1610.01644.
    """
    l2 = 1 / len(train) if l2 is None else l2
    fit = fit or softmax_regression

    def features(represent, key, state, batches, num_examples):
        def measure(_, state, batch):  # of one key throughout: a reference may be a random network, but it is one
            return {"features": represent(key, state, batch["image"])}

        return full_pass(measure, batches, num_examples)(key, state)["features"]

    def accuracy(represent, key, state, columns):
        (seen, label), (held_out, wanted) = columns
        x, shown = (
            features(represent, key, state, seen, len(train)),
            features(represent, key, state, held_out, len(test)),
        )
        learn = functools.partial(fit, num_classes=num_classes, l2=l2)
        return told_linearly((x, label), (shown, wanted), learn), shown

    def probe(columns, key, state):
        correct, shown = accuracy(represent, key, state, columns)
        others = {name: accuracy(other, key, state, columns)[0] for name, other in references.items()}
        means = {name: Mean.of(values) for name, values in {"accuracy": correct, **others}.items()}
        if others:
            best = jnp.stack([values.mean() for values in others.values()]).max()
            means["margin"] = Mean.of(correct - best)
        return {**means, "features": shown}

    columns = [(data.padded(split.require("image"), 500), split.arrays["label"]) for split in (train, test)]
    return Partial(probe, columns)


def told_linearly(learned: tuple[Array, Array], asked: tuple[Array, Array], fit: Fit) -> Array:
    """`[M]`, 1 where a linear classifier of some features names the class of others, and 0 where not.

    Features are standardised by the means and deviations of those that are learned from.

    Args:
      learned: features `[N, D]`, and classes `[N]` integers; a feature that is constant counts nothing.
      asked: features `[M, D]`, and classes `[M]`.
      fit: `(x, label) -> LinearMap`.
    """
    (x, label), (y, wanted) = learned, asked
    x, y = x - x[:1], y - x[:1]  # a constant feature is then 0 to the last digit
    mean, std = x.mean(0, keepdims=True), x.std(0, keepdims=True)
    x, y = ((z - mean) / jnp.where(std > 0, std, 1) for z in (x, y))
    return is_correct(log_odds(fit(x, label), y), wanted)


def two_views(view: Callable[[Key, Array], Array], image: Array) -> Probe:
    """Probe: `pairs` `[2, N, H, W, C]`, two views of each picture, as a method learns from.

    Args:
      view: random, of all pictures.
      image: `[N, H, W, C]` floats.
    """
    return Partial(
        lambda image, key, state: {"pairs": jnp.stack([view(k, image) for k in jax.random.split(key)])}, image
    )


class LinearMap(NamedTuple):
    """A linear map to log-odds."""

    kernel: Array  # [D, K]
    bias: Array  # [K]


def softmax_regression(x: Array, label: Array, *, num_classes: int, l2: float) -> LinearMap:
    """The weights of the least penalised loss, by L-BFGS from zero until the gradient's norm is below `TOLERANCE`.

    The bias is not penalised. With `l2 = 1 / (C N)` it is scikit-learn's `LogisticRegression(C=C)`.

    Args:
      x: `[N, D]` features, best standardised: the penalty depends on their scale, and so does the number of steps.
      label: `[N]` integers in 0 ... K - 1.
      num_classes: K >= 2.
      l2: > 0, in nats; at 0 separable classes have no finite answer.
    """
    chex.assert_rank([x, label], [2, 1])
    chex.assert_equal_shape_prefix([x, label], 1)

    def loss(weights):
        losses = cross_entropy(log_odds(weights, x), label)
        return losses.mean() + l2 / 2 * jnp.square(weights.kernel).sum()

    return _least(loss, x.shape[1], num_classes)


def linear_svm(x: Array, label: Array, *, num_classes: int, l2: float) -> LinearMap:
    """Linear support vector machines of each class against the rest, of the squared hinge loss.

    minimise   mean_n sum_k max(0, 1 - t_nk (W^T x_n + b)_k)^2 + l2 / 2 |W|^2,   t_nk = +1 for n's own class, else -1

    The answer and how it is found are as of `softmax_regression`; with `l2 = 1 / (C N)` it is scikit-learn's
    `LinearSVC(C=C)`, but for its penalty on the bias.

    Args:
      x: `[N, D]` features, best standardised.
      label: `[N]` integers in 0 ... K - 1.
      num_classes: K >= 2.
      l2: > 0.
    Source: Fan et al. 2008, JMLR 9, LIBLINEAR, section 2.
    """
    chex.assert_rank([x, label], [2, 1])
    chex.assert_equal_shape_prefix([x, label], 1)
    sign = 2 * jax.nn.one_hot(label, num_classes) - 1

    def loss(weights):
        lacking = jnp.maximum(0, 1 - sign * log_odds(weights, x))
        return jnp.square(lacking).sum(1).mean() + l2 / 2 * jnp.square(weights.kernel).sum()

    return _least(loss, x.shape[1], num_classes)


def _least(loss: Callable[[LinearMap], Array], num_features: int, num_classes: int) -> LinearMap:
    """The weights of the least loss, as `softmax_regression` has it."""
    solver = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)

    def unfinished(carry):
        step, _, _, size = carry
        return (step < NUM_STEPS) & (size > TOLERANCE)

    def move(carry):
        step, weights, state, _ = carry
        value, grad = value_and_grad(weights, state=state)
        updates, state = solver.update(grad, state, weights, value=value, grad=grad, value_fn=loss)
        return step + 1, optax.apply_updates(weights, updates), state, tree.norm(optax.tree.get(state, "grad"))

    zero = LinearMap(jnp.zeros((num_features, num_classes)), jnp.zeros(num_classes))
    return lax.while_loop(unfinished, move, (0, zero, solver.init(zero), jnp.inf))[1]


def log_odds(weights: LinearMap, x: Array) -> Array:
    """Unnormalised log-probabilities `[..., K]` of the classes of `x [..., D]`."""
    chex.assert_axis_dimension(x, -1, len(weights.kernel))
    return matmul(x, weights.kernel) + jnp.expand_dims(weights.bias, tuple(range(x.ndim - 1)))
