"""Estimation from data that arrive: maximum likelihood, conjugate posteriors, and stochastic approximation.

All three move a mean. Maximum likelihood is the mean of the statistics so far, a posterior is that with a prior's
imagined observations, and Robbins and Monro's is a mean whose weights the step sizes choose.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border
from adl.core.types import Array
from adl.prob.exponential_family import Family


class Average(NamedTuple):
    """A mean over all that was seen."""

    mean: Array  # [P]
    count: Array  # [] observations


@border.columns(x="[B, ...]", mask="[B]?")
def maximum_likelihood(family: Family, *, axis: str | None = None) -> Algorithm:
    """The mean of T over all batches so far; `family.fit(state.mean)` is the estimate. State is an `Average`.

    A batch is `{"x": [B, ...]}`, with an optional "mask" `[B]`, >= 0, that weighs the examples. Reports the `loss`,
    -log p(x | estimate before the batch) in nats; before any data the estimate is the family's start. Where batches
    are small the first estimates can be degenerate: a normal of one observation has no width, and its loss is nan.

    Args:
      family: of the data.
      axis: as in `core.accumulate`.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 2.228.
    """

    def init(key: Key, batch: PyTree) -> Average:
        return Average(family.mean(family.start), jnp.zeros(()))

    def measure(key, state, batch):
        x, weight = _weighted(batch)
        sums = _sums(family, state.mean, x, weight)
        eta = family.fit(state.mean)
        loss = -jax.vmap(family.log_prob, (0, None))(x, eta)
        return sums, {"loss": Mean.of(loss, weight)}

    def move(state, sums):
        # About the mean so far: far from 0 nothing is lost, and nothing seen moves nothing.
        count = state.count + sums.count
        return Average(state.mean + sums.total / jnp.where(count > 0, count, 1), count)

    return Algorithm(init, accumulate(measure, move, axis))


def of_sets(family: Family, x: Array) -> Array:
    """Natural parameters `[S, P]` by maximum likelihood of each of S sets `x [S, N, ...]`, wherever these lie."""

    def one(x):
        near = family if family.about is None else family.about(x.mean(0))
        eta = near.fit(jax.vmap(near.statistics)(x).mean(0))
        return eta if family.about is None else family.natural(near.distribution(eta))

    return jax.vmap(one)(x)


class Belief(NamedTuple):
    """A conjugate prior, or posterior: what was observed, whether imagined or not."""

    total: Array  # [P] sum of T
    count: Array  # [] > 0


@border.columns(x="[B, ...]", mask="[B]?")
def conjugate(family: Family, *, total: Array, count: float, axis: str | None = None) -> Algorithm:
    """The posterior over the parameters of a family, batch by batch; the state is a `Belief`.

    `family.posterior(*state)` and `family.predictive(*state)` read it. Batches as in `maximum_likelihood`; the order
    and the split of the data do not matter, and what comes again counts again. Reports the `loss`, -log p(x | batches
    before) in nats an example: over batches of one example their sum is -log evidence.

    Args:
      family: with a `predictive`.
      total: `[P]` sum of T over the prior's imagined observations.
      count: > 0, how many they are.
      axis: as in `core.accumulate`.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 2.230.
    """

    def init(key: Key, batch: PyTree) -> Belief:
        return Belief(jnp.array(total, jnp.float32), jnp.array(count, jnp.float32))

    def measure(key, state, batch):
        x, weight = _weighted(batch)
        sums = _sums(family, jnp.zeros_like(state.total), x, weight)
        expected = family.predictive(*state)
        return sums, {"loss": Mean.of(-jax.vmap(expected.log_prob)(x), weight)}

    return Algorithm(init, accumulate(measure, lambda state, sums: jax.tree.map(jnp.add, state, sums), axis))


class Iterate(NamedTuple):
    """Where a stochastic approximation is."""

    theta: Array
    step: Array  # [] steps taken


@border.columns(x="[B, ...]", mask="[B]?")
def robbins_monro(
    field: Callable[[Array, Array], Array],
    start: Array,
    *,
    step_size: Callable[[Array], Array] = lambda t: 1 / t,
    axis: str | None = None,
) -> Algorithm:
    """The root of a regression function, theta* with E[field(theta*, x)] = 0, from noisy looks at it.

    theta_t = theta_{t-1} - a_t mean_b field(theta_{t-1}, x_b),   sum a_t = inf,  sum a_t^2 < inf

    Sequential maximum likelihood has the score's negative for a field; with `theta - x` and a_t = 1 / t it is the
    running mean, with `(x < theta) - q` the q-quantile. State is an `Iterate`; batches as in `maximum_likelihood`.
    Reports the `loss`, the mean of the field's squared length, noise included.

    Args:
      field: `field(theta, x) -> [...]` as theta; its expectation rises through 0 at the root.
      start: theta before any data.
      step_size: a_t > 0 of the t-th step, t = 1, 2, ...
      axis: as in `core.accumulate`.
    Source: Robbins & Monro 1951, Annals of Mathematical Statistics 22(3).
    """

    def init(key: Key, batch: PyTree) -> Iterate:
        return Iterate(jnp.array(start, jnp.float32), jnp.zeros(()))

    def measure(key, state, batch):
        x, weight = _weighted(batch)
        values = jax.vmap(field, (None, 0))(state.theta, x)
        total = jnp.tensordot(weight, values, 1)
        return (total, weight.sum()), {"loss": Mean.of(jnp.square(values).reshape(len(values), -1).sum(-1), weight)}

    def move(state, sums):
        total, weight = sums
        step = state.step + 1
        return Iterate(state.theta - step_size(step) * total / jnp.where(weight > 0, weight, 1), step)

    return Algorithm(init, accumulate(measure, move, axis))


def _weighted(batch: PyTree) -> tuple[Array, Array]:
    """Observations `[B, ...]` and their weights `[B]`."""
    x = batch["x"]
    return x, jnp.broadcast_to(batch.get("mask", jnp.float32(1)), x.shape[:1])


def _sums(family: Family, about: Array, x: Array, weight: Array) -> Belief:
    """Weighted sums of T less `about`, and of the weights."""
    statistics = jax.vmap(family.statistics)(x)
    chex.assert_shape(statistics, (len(x), *about.shape))  # else x is of another rank than the family's
    away = jnp.where(weight[:, None] > 0, statistics - about[None], 0)  # padding may hold nan
    return Belief(weight @ away, weight.sum())
