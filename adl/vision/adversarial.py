"""Adversarial examples: the worst that a small change of a picture can do, and networks that learn from it.

    max over ||d|| <= epsilon, x + d in [0, 1], of loss(x + d, y)

Attacks are functions `attack(key, loss, x, label) -> x + d` of a loss of pictures `x` `[B, ...]` in [0, 1] and labels
`[B]`, in nats an example: those by gradient climb it, those by score only ask what it is. All stay exactly within the
ball of their norm and within [0, 1].
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, forward
from adl.prob.labels import cross_entropy, is_correct

Loss = Callable[[Array, Array], Array]  # (x [B, ...], label [B]) -> [B], what an attack wants to be large
Attack = Callable[[Key, Loss, Array, Array], Array]  # (key, loss, x [B, ...], label [B]) -> [B, ...] in [0, 1]
Prepare = Callable[[Key, PyTree], tuple[Array, Array]]  # (key, batch) -> (x [B, ...] in [0, 1], label [B])

BISECTIONS = 30  # of a length, to float32's digits


class Norm(NamedTuple):
    """How large a perturbation `[B, ...]` is, by what an attack needs to know of it."""

    length: Callable[[Array], Array]  # d [B, ...] -> [B, 1 ...]
    drawn: Callable[[Key, Array], Array]  # (key, x [B, ...]) -> [B, ...] uniform in the unit ball
    steepest: Callable[[Array], Array]  # g [B, ...] -> d of length 1 with the largest <g, d>; 0 of 0
    nearest: Callable[[Array, Array, Array], Array]  # (d, x, epsilon) -> nearest d' in the ball with x + d' in [0, 1]


def fast_gradient(key: Key, loss: Loss, x: Array, label: Array, *, epsilon: Array | float, norm: Norm) -> Array:
    """Pictures after one step of length epsilon, up the gradient at the pictures themselves: FGSM, and its like in l2.

    x' = P(x + epsilon sign grad_x loss(x, y)),   in l2  x' = P(x + epsilon g / ||g||)

    Args:
      key: not needed; an attack takes one.
      loss: of an attack, as the module says.
      x: `[B, ...]` in [0, 1].
      label: `[B]` integers.
      epsilon: >= 0, radius of the ball; may be traced.
      norm: of the ball.
    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572, section 4; l2: Miyato et al. 2017, arXiv:1605.07725.
    """
    return projected_gradient(key, loss, x, label, epsilon=epsilon, norm=norm, num_steps=1, pace=1.0, start=0.0)


def projected_gradient(
    key: Key,
    loss: Loss,
    x: Array,
    label: Array,
    *,
    epsilon: Array | float,
    norm: Norm,
    num_steps: int,
    pace: float = 2.5,
    start: float = 1.0,
) -> Array:
    """Pictures after steps up the loss, each followed by the projection onto what is allowed: PGD.

    d_0 ~ start * uniform in the ball,   d_{t+1} = P(d_t + pace epsilon / T * steepest grad_x loss(x + d_t, y))

    Args:
      key: consumed, by the start.
      loss: of an attack, as the module says.
      x: `[B, ...]` in [0, 1].
      label: `[B]` integers.
      epsilon: >= 0, radius of the ball; may be traced.
      norm: of the ball.
      num_steps: T >= 1.
      pace: > 0, length of all steps together, in radii; 2.5 is the source's.
      start: in [0, 1], radius of the random start, in radii; 0 starts at the picture.
    Returns:
      `[B, ...]` x + d_T: the last, not the best of the way, as the source has it.
    Source: Madry et al. 2018, arXiv:1706.06083, section 2.1 and appendix.
    """
    slope = jax.grad(lambda d: loss(x + d, label).sum())
    d = norm.nearest(start * epsilon * norm.drawn(key, x), x, epsilon)

    def climb(_, d):
        return norm.nearest(d + pace * epsilon / num_steps * norm.steepest(slope(d)), x, epsilon)

    return jnp.clip(x + lax.fori_loop(0, num_steps, climb, d), 0, 1)


def square_attack(
    key: Key,
    loss: Loss,
    x: Array,
    label: Array,
    *,
    epsilon: Array | float,
    num_queries: int,
    area: float = 0.8,
) -> Array:
    """Pictures after random squares of +-epsilon, of which those stay that raise the loss: no gradient is asked for.

    It starts with stripes, a sign for each column and channel. The squares' share of the picture halves at 0.1, 0.5, 2,
    5, 10, 20, 40, 60 and 80 % of the queries. What gradients do not find for being masked, it may.

    Args:
      key: consumed.
      loss: of an attack, as the module says; only its values are asked for.
      x: `[B, H, W, C]` in [0, 1].
      label: `[B]` integers.
      epsilon: >= 0, radius in l-infinity; may be traced.
      num_queries: >= 1, of the loss.
      area: in (0, 1], share of the picture that the first squares cover.
    Source: Andriushchenko et al. 2020, arXiv:1912.00049, algorithms 1 and 2.
    """
    chex.assert_rank(x, 4)
    b, height, width, channels = x.shape
    halvings = jnp.array([0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8]) * num_queries

    def painted(signs):
        return jnp.clip(x + epsilon * signs, 0, 1)

    def attempt(index, carry):
        best, found = carry
        where, colour = jax.random.split(jax.random.fold_in(key, index))
        share = area / 2.0 ** (index >= halvings).sum()
        side = jnp.maximum(jnp.round(jnp.sqrt(share * height * width)), 1).astype(jnp.int32)
        corner = jax.random.uniform(where, (2, b, 1))
        in_rows, in_columns = (_within(at, side, size) for at, size in zip(corner, (height, width), strict=True))
        inside = (in_rows[:, :, None] & in_columns[:, None, :])[..., None]
        tried = jnp.where(inside, painted(jax.random.rademacher(colour, (b, 1, 1, channels), x.dtype)), best)
        value = loss(tried, label)
        rises = value > found
        return jnp.where(rises[:, None, None, None], tried, best), jnp.where(rises, value, found)

    first = painted(jax.random.rademacher(jax.random.fold_in(key, num_queries), (b, 1, width, channels), x.dtype))
    return lax.fori_loop(1, num_queries, attempt, (first, loss(first, label)))[0]


def adversarial_classifier(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    attack: Attack,
    prepare: Prepare = lambda key, batch: (batch["image"], batch["label"]),
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of labels given the worst that an attack makes of pictures: adversarial training.

    min over theta of E max over d of loss(theta, x + d, y),   the gradient taken at the d that the attack finds

    The state is a `Learner`. A step reports the descended `loss` in nats and the `accuracy` in [0, 1], both of the
    pictures under attack. The network is attacked as it is when it tells of a picture: nothing drops, and batch
    statistics are at rest.

    Args:
      model: `[B, ...] -> [B, K]` logits; one that normalises over the batch must know `axis` too.
      tx: optax transformation; end its chain with `core.average_params` to predict with averaged parameters.
      attack: of the cross-entropy, such as `projected_gradient` with its options.
      prepare: `prepare(key, batch) -> (x [B, ...] in [0, 1], label [B] int)`, as of `supervised.classification.views`.
      axis: as in `core.descend`.
    Source: Madry et al. 2018, arXiv:1706.06083, eq. 2.1 and section 4.
    """
    prepare = border.prepared(prepare, "[B, ...]")

    def init(key: Key, batch) -> Learner:
        x, _ = prepare(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, x), tx)

    def total(key: Key, params, extras, batch):
        prepare_key, attack_key, dropout_key = jax.random.split(key, 3)
        x, label = prepare(prepare_key, batch)

        def surprise(x, label):
            return cross_entropy(model.apply({"params": params, **extras}, x), label)

        with border.same_inputs():
            worst = attack(attack_key, surprise, x, label)
        logits, extras = forward(model, dropout_key, params, extras, lax.stop_gradient(worst))
        losses = cross_entropy(logits, label)
        return {"loss": Mean.of(losses), "accuracy": Mean.of(is_correct(logits, label))}, extras

    return Algorithm(init, descend(total, tx, axis))


def margin(logits: Array, label: Array) -> Array:
    """`[B]` the largest wrong one of `logits` `[B, K]` less that of `label` `[B]`: > 0 is an error.

    An attack's loss where the network is too sure: its gradient does not vanish in float32, as the cross-entropy's.

    Source: Carlini & Wagner 2017, arXiv:1608.04644, section IV-A, f_6.
    """
    is_right = jax.nn.one_hot(label, logits.shape[-1], dtype=bool)
    return jnp.where(is_right, -jnp.inf, logits).max(-1) - jnp.where(is_right, logits, 0).sum(-1)


def _within(at: Array, side: Array, size: int) -> Array:
    """`[B, size]` whether places are in a run of so many, which begins `at` `[B, 1]` in [0, 1) of where it may."""
    first, places = jnp.floor(at * (size - jnp.minimum(side, size) + 1)), jnp.arange(size)[None]
    return (places >= first) & (places < first + side)


def _each(fn: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """`[B, 1 ...]` of `[B, ...]`, by a function of `[B, D]` to `[B]`."""
    return lambda d: fn(d.reshape(len(d), -1)).reshape(-1, *[1] * (d.ndim - 1))


def _euclidean(d: Array) -> Array:
    """`[B]`, of any size."""
    top = jnp.abs(d).max(-1)
    unit = jnp.where(top > 0, top, 1)
    return unit * jnp.sqrt(jnp.square(d / unit[:, None]).sum(-1))


def _drawn_in_sphere(key: Key, x: Array) -> Array:
    direction_key, radius_key = jax.random.split(key)
    direction = _unit(jax.random.normal(direction_key, x.shape))
    radius = jax.random.uniform(radius_key, (len(x), *[1] * (x.ndim - 1)))
    return direction * radius ** (len(x) / x.size)


def _unit(g: Array) -> Array:
    """Of a gradient of any size the direction; 0 of 0."""
    length = _each(_euclidean)(g)
    return jnp.where(length > 0, g / jnp.where(length > 0, length, 1), 0)


def _nearest_in_sphere(d: Array, x: Array, epsilon: Array | float) -> Array:
    """By Karush, Kuhn & Tucker d' = clip(t d, -x, 1 - x) with the largest t in [0, 1] for which it is short enough."""
    length = _each(_euclidean)

    def clipped(t):
        return jnp.clip(t * d, -x, 1 - x)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        is_short = length(clipped(middle)) <= epsilon
        return jnp.where(is_short, middle, low), jnp.where(is_short, high, middle)

    one = jnp.ones((len(d), *[1] * (d.ndim - 1)), d.dtype)
    low, _ = lax.fori_loop(0, BISECTIONS, halve, (0 * one, one))
    return jnp.where(length(clipped(one)) <= epsilon, clipped(one), clipped(low))


LINF = Norm(
    length=_each(lambda d: jnp.abs(d).max(-1)),
    drawn=lambda key, x: jax.random.uniform(key, x.shape, x.dtype, -1, 1),
    steepest=jnp.sign,
    nearest=lambda d, x, epsilon: jnp.clip(d, jnp.maximum(-epsilon, -x), jnp.minimum(epsilon, 1 - x)),
)
L2 = Norm(length=_each(_euclidean), drawn=_drawn_in_sphere, steepest=_unit, nearest=_nearest_in_sphere)
NORMS = {"linf": LINF, "l2": L2}
