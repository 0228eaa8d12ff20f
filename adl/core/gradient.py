"""Learning by gradient: one function for every loss, and the average of the parameters as an optax transformation."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax
from jax import lax

from adl.core import tree
from adl.core.types import Array, Key, Learner, Metrics, PyTree

# loss(key, params, extras, *batch) -> (metrics with an entry "loss", new extras)
Loss = Callable[..., tuple[Metrics, PyTree]]


def descend(
    loss: Loss, tx: optax.GradientTransformation, axis: str | None = None
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
    Returns:
      `update(key, learner, *batch) -> (learner, metrics)`; metrics are of this device: `over_devices` sums them.
    """
    tx = optax.with_extra_args_support(tx)

    def update(key: Key, learner: Learner, *batch) -> tuple[Learner, Metrics]:
        def total(params):
            metrics, extras = loss(key, params, learner.extras, *batch)
            return metrics["loss"].total, (metrics, extras)

        grads, (metrics, extras) = jax.grad(total, has_aux=True)(learner.params)
        mean = metrics["loss"]
        if axis is not None:
            (grads, mean), extras = lax.psum((grads, mean), axis), lax.pmean(extras, axis)
        grads = jax.tree.map(lambda g: g / mean.count.astype(g.dtype), grads)
        updates, opt_state = tx.update(grads, learner.opt_state, learner.params, value=mean.value)
        return Learner(optax.apply_updates(learner.params, updates), opt_state, extras), metrics

    return update


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
