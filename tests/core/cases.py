"""What the other families are made of: `descend`, and the lifts that make one algorithm of others."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, alternate, average_params, beside, descend, ensemble, tree
from tests.case import Case, points


def least_squares(axis: str | None, wrap: Callable = lambda tx: tx) -> Algorithm:
    """Gradient descent with everything that an optimizer's state can hold."""
    model, tx = nn.Dense(1), wrap(optax.chain(optax.adam(0.05), average_params(0.9)))

    def loss(key, params, extras, x):
        return {"loss": Mean.of((model.apply({"params": params}, x) - x.sum(-1, keepdims=True)) ** 2)}, extras

    def init(key, x):
        return Learner.create(model.init(key, x), tx)

    return Algorithm(init, descend(loss, tx, axis))


def running_mean(axis: str | None) -> Algorithm:
    """Extras that each device sees a part of."""
    tx = optax.adam(0.05)

    def loss(key, params, extras, x):
        mean = 0.9 * extras["mean"] + 0.1 * x.mean(0)
        return {"loss": Mean.of((x - params[None]) ** 2)}, {"mean": mean}

    def init(key, x):
        return Learner.create({"params": 3 * jnp.ones(2), "mean": jnp.zeros(2)}, tx)

    return Algorithm(init, descend(loss, tx, axis))


def phases(axis: str | None) -> Algorithm:
    """Two of one, one of the other, on one state."""
    one = least_squares(axis)

    def rest(key, state, x):
        return state, {"norm": Mean.of(tree.norm(state.params))}

    return alternate(one.init, (one.step, rest), (2, 1))


OWN = ("rank", "length", "type")  # these factories are the tests' own: what they look at is no word of the library
CASES = {
    "descend": Case(least_squares, points, "loss"),
    "accumulated gradients": Case(lambda axis: least_squares(axis, lambda tx: optax.MultiSteps(tx, 2)), points, "loss"),
    "descend, extras": Case(running_mean, points, "loss"),
    "alternate": Case(phases, points, "loss"),
    "ensemble": Case(lambda axis: ensemble(least_squares(axis), 3), points, "loss"),
    "beside": Case(lambda axis: beside({"one": least_squares(axis), "other": phases(axis)}), points, "loss"),
}
CASES = {name: case._replace(takes=OWN) for name, case in CASES.items()}
