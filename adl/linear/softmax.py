"""Multinomial logistic regression: the linear classifier of greatest likelihood, and what it makes of features.

    p(k | x) = softmax(W^T x + b)_k,   minimise   mean_n -log p(label_n | x_n) + l2 / 2 |W|^2

The objective is convex, so that the fit has one answer: no seed, no learning rate, no stopping by a test set. As a
linear probe it measures how much of the classes a frozen representation makes linearly readable.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import tree
from adl.core.types import Array
from adl.prob.labels import cross_entropy

NUM_STEPS = 1000  # at most; some dozens to some hundreds suffice
TOLERANCE = 1e-6  # Euclidean norm of the gradient, in nats, at which a fit has converged


class Weights(NamedTuple):
    """A linear map to log-odds."""

    kernel: Array  # [D, K]
    bias: Array  # [K]


def softmax_regression(x: Array, label: Array, *, num_classes: int, l2: float) -> Weights:
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

    zero = Weights(jnp.zeros((x.shape[1], num_classes)), jnp.zeros(num_classes))
    return lax.while_loop(unfinished, move, (0, zero, solver.init(zero), jnp.inf))[1]


def log_odds(weights: Weights, x: Array) -> Array:
    """Unnormalised log-probabilities `[..., K]` of the classes of `x [..., D]`."""
    return jnp.matmul(x, weights.kernel, precision=lax.Precision.HIGHEST) + jnp.expand_dims(
        weights.bias, tuple(range(x.ndim - 1))
    )
