"""Learning by gradient: one function for every loss, and the average of the parameters as an optax transformation."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import tree
from adl.core.errors import BadInput
from adl.core.types import Array, Key, Learner, Metrics, PyTree

# loss(key, params, extras, *batch) -> (metrics with an entry "loss", new extras)
Loss = Callable[..., tuple[Metrics, PyTree]]


def descend(
    loss: Loss, tx: optax.GradientTransformation, axis: str | None = None, *, microbatches: int = 1
) -> Callable[..., tuple[Learner, Metrics]]:
    """Update of one learner by the gradient of one loss.

    g = sum_devices grad(total) / sum_devices(count),   the exact gradient of the mean over the global batch,
    even where devices count differently (masked tokens, unfinished episodes).

    Args:
      loss: `loss(key, params, extras, *batch) -> (metrics, extras)`. `metrics["loss"]`, a `Mean` whose count does
        not depend on the parameters, is descended; the other entries are reported. `extras` are the flax
        collections after the forward pass (batch statistics), or those that came.
      tx: optax transformation; it also receives the extra argument `value` (the loss) if it takes any.
      axis: name of the mapped axis that the step will run under (pmap), or None: one device, or the compiler
        inserts the reduction.
      microbatches: equal parts of the batch whose gradients are computed one after the other and summed, in less
        memory. The gradient is the same where the total is a sum over examples; not where these meet, as in batch
        statistics. Each part has a key of its own, and finds the extras that the part before left.
    Returns:
      `update(key, learner, *batch) -> (learner, metrics)`; metrics are of this device: `over_devices` sums them.
    Raises:
      BadInput: if the batch, or a device's share of it under pmap, does not divide by `microbatches`.
    """
    tx = optax.with_extra_args_support(tx)

    def gradient(key, params, extras, *batch):
        """Of the total; `((gradient, metrics), extras)`."""

        def total(params):
            metrics, new = loss(key, params, extras, *batch)
            return metrics["loss"].total, (metrics, new)

        grads, (metrics, extras) = jax.grad(total, has_aux=True)(params)
        return (grads, metrics), extras

    def summed(key, params, extras, *batch):
        """The same, part by part."""

        def body(carry, part):
            so_far, extras = carry
            more, extras = gradient(part[0], params, extras, *part[1])
            return (jax.tree.map(jnp.add, so_far, more), extras), None

        parts = jax.tree.map(functools.partial(_parts, microbatches), batch)
        shape, _ = jax.eval_shape(gradient, key, params, extras, *tree.take(parts, 0))
        keys = jax.random.split(key, microbatches)
        return lax.scan(body, (tree.zeros(shape), extras), (keys, parts))[0]

    def update(key: Key, learner: Learner, *batch) -> tuple[Learner, Metrics]:
        whole = gradient if microbatches == 1 else summed
        (grads, metrics), extras = whole(key, learner.params, learner.extras, *batch)
        mean = metrics["loss"]
        if axis is not None:
            (grads, mean), extras = lax.psum((grads, mean), axis), lax.pmean(extras, axis)
        grads = jax.tree.map(lambda g: g / mean.count.astype(g.dtype), grads)
        updates, opt_state = tx.update(grads, learner.opt_state, learner.params, value=mean.value)
        return Learner(optax.apply_updates(learner.params, updates), opt_state, extras), metrics

    return update


def _parts(n: int, x: Array) -> Array:
    """`[B, ...]` -> `[n, B / n, ...]`: every n-th row in one part, so that each device has an equal share of each."""
    if len(x) % n:
        raise BadInput(f"a batch of {len(x)} does not divide by {n} microbatches")
    return x.reshape(-1, n, *x.shape[1:]).swapaxes(0, 1)


@jax.custom_vjp
def scale_gradient(x: Array, scale: Array) -> Array:
    """`x` itself, with its gradient times `scale`; `scale` gets none.

    0 stops the gradient, -1 reverses it.

    Args:
      x: any shape.
      scale: broadcastable to it.
    """
    return x


def _scale_forward(x, scale):
    return x, scale


def _scale_backward(scale, g):
    return g * scale, jax.numpy.zeros_like(scale)


scale_gradient.defvjp(_scale_forward, _scale_backward)


class AverageState(NamedTuple):
    """State of `average_params`."""

    count: Array  # [] updates so far
    average: PyTree  # like the parameters


def average_params(decay: float, *, warmup: float = 10.0) -> optax.GradientTransformation:
    """Keeps an exponential moving average of the parameters; put it last in `optax.chain`.

    a_t = d_t * a_{t-1} + (1 - d_t) * p_t,   d_t = min(decay, t / (t + warmup))

    so that the average forgets its initial value at first and reaches `decay` later. Updates pass unchanged. As it
    lives in the optimizer's state, it follows the learner through every algorithm, lift and checkpoint.

    Args:
      decay: in [0, 1); the average looks back about 1 / (1 - decay) steps.
      warmup: > 0, in steps; larger follows the parameters for longer.
    """

    def init(params):
        return AverageState(count=jax.numpy.zeros((), "int32"), average=tree.copy(params))

    def update(updates, state, params):
        count = optax.safe_increment(state.count)
        rate = jax.numpy.minimum(decay, count / (count + warmup))
        average = tree.ema(state.average, optax.apply_updates(params, updates), rate)
        return updates, AverageState(count, average)

    return optax.GradientTransformation(init, update)


def averaged(learner: Learner) -> PyTree:
    """The averaged parameters that `average_params` keeps in the learner's optimizer state.

    Raises:
      KeyError: if the learner's transformation keeps none.
    """
    average = optax.tree.get(learner.opt_state, "average")
    if average is None:
        raise KeyError("this learner's optimizer keeps no average: put core.average_params(decay) last in its chain")
    return average
