"""Gibbs sampling: each part of a position is drawn anew from its distribution given all others, in turn.

A systematic scan visits the parts in their order; a random scan visits as many, each chosen at random. Both leave the
target invariant; the random scan is reversible, too. A conditional that cannot be drawn from may be any update that
leaves it invariant (a Metropolis step within Gibbs).
Source: Geman & Geman 1984, IEEE Transactions on Pattern Analysis and Machine Intelligence 6(6).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Mean
from adl.core.types import Array, Key, PyTree
from adl.sampling.hmc import Info, LogDensity, Point, at

Conditional = Callable[[Key, PyTree], PyTree]  # (key, position) -> position with one part drawn given the others


def gibbs(
    conditionals: Sequence[Conditional],
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    scan: Literal["systematic", "random"] = "systematic",
) -> Algorithm:
    """Chains by conditionals; state is the position, leaves `[C, ...]`, batches are empty.

    A step is K updates, as many as there are conditionals. A random scan is the same for all chains of a device: were
    it each chain's own, every update would compute all K conditionals.
    Metrics, over the chains: "jump", the squared distance of a step, in squared units of the position.

    Args:
      conditionals: K >= 1 of them, each of one chain.
      start: `start(key) -> position`, where a chain begins.
      num_chains: C >= 1.
      scan: the order of the updates.
    """
    updates = [jax.vmap(conditional) for conditional in conditionals]

    def init(key, batch):
        return jax.vmap(start)(jax.random.split(key, num_chains))

    def step(key, state, batch):
        size, num = jax.tree.leaves(state)[0].shape[0], len(updates)
        order_key, key = jax.random.split(key)
        keys = jax.random.split(key, (num, size))
        new = state
        if scan == "systematic":
            for update, own in zip(updates, keys, strict=True):
                new = update(own, new)
        else:
            order = jax.random.randint(order_key, (num,), 0, num)
            new, _ = lax.scan(lambda x, at: (lax.switch(at[0], updates, at[1], x), None), new, (order, keys))
        return new, {"jump": Mean.of(_squared_distances(new, state))}

    return Algorithm(init, step, axes=0)


def two_layers(
    key: Key, log_density: LogDensity, point: Point, step_size: Array, inverse_mass: Array, *, num_first: int
) -> tuple[Point, Info]:
    """One transition of binary units in two layers, with bonds between the layers only: each layer given the other.

    Where log p is linear in each unit, the log-odds of a unit given all others are the slope along it, so that nothing
    but the density need be known: a transition for whoever anneals or tempers one.

    Args:
      key: consumed.
      log_density: of `[D]` units in {0, 1}, linear in those of a layer given the other.
      point: where from.
      step_size: not looked at: nothing is refused.
      inverse_mass: not looked at.
      num_first: units of the first layer, in [1, D - 1], which is drawn first.
    """
    is_first = jnp.arange(len(point.position)) < num_first
    for own, drawn in zip(jax.random.split(key), (is_first, ~is_first), strict=True):
        units = jax.random.bernoulli(own, jax.nn.sigmoid(jax.grad(log_density)(point.position)))
        point = point._replace(position=jnp.where(drawn, units.astype(point.position.dtype), point.position))
    info = Info(jnp.ones(()), jnp.zeros((), bool), jnp.full((), 2))
    return at(log_density, point.position, point.momentum), info


def _squared_distances(x: PyTree, y: PyTree) -> Array:
    def one(a, b):
        return jnp.square(a.astype(float) - b.astype(float)).reshape(len(a), -1).sum(-1)

    return sum(jax.tree.leaves(jax.tree.map(one, x, y)))
