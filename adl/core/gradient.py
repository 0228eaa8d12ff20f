"""What a step by gradient is made of: a pass through the network, the gradient of any loss, the descent along it."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax

from adl.core import border, tree
from adl.core.errors import BadInput
from adl.core.types import Algorithm, Array, Key, Learner, Metrics, PyTree

# loss(key, params, extras, *batch) -> (metrics with an entry "loss", new extras[, what it has to say of each example])
Loss = Callable[..., tuple]


def forward(
    model: nn.Module, key: Key | None, params: PyTree, extras: PyTree, *inputs, sown: Sequence[str] = (), **more
) -> tuple[PyTree, PyTree]:
    """A network's output in training, and its extras after it: units drop, and batch statistics move.

    To look, call `model.apply(learner.variables, *inputs)`, which does neither. Modules have no flag that says which of
    the two it is: they drop where there is a key for it (`self.has_rng("dropout")`), and normalise by the batch where
    its statistics may move (`self.is_mutable_collection("batch_stats")`).

    Args:
      model: any module; what it draws comes from the stream "dropout", or by whatever other name it asks.
      key: consumed, by what the module draws; None: nothing is drawn, though extras move.
      params: its parameters.
      extras: its other collections, `{}` if none.
      *inputs: of the module.
      sown: names of collections that modules make anew at each pass (`self.sow`), and that are wanted back.
      **more: further arguments of `model.apply`: keywords of the module, or `method`, by name or as a function of the
        module, `method=lambda model: model.decode(model.encode(x))`, where several calls are one pass.
    Returns:
      `(output, extras)`, the latter also with what was sown.
    Raises:
      BadInput: at trace time, if the inputs are of another shape than those that the parameters were made for.
    """
    rngs = {} if key is None else {"dropout": key, "params": jax.random.fold_in(key, 1)}  # "params": of other names
    with border.same_inputs():
        return model.apply({"params": params, **extras}, *inputs, rngs=rngs, mutable=[*extras, *sown], **more)


class Gradient(NamedTuple):
    """What `gradient` finds."""

    grads: PyTree  # of the mean loss over the global batch, like the parameters
    metrics: Metrics  # of this device: `over_devices` sums them
    extras: PyTree  # after the pass, averaged over devices
    seen: PyTree  # [B, ...] what the loss says of each of this device's examples; None: nothing
    value: Array  # [] the mean loss over the global batch


def gradient(loss: Loss, axis: str | None = None, *, microbatches: int = 1) -> Callable[..., Gradient]:
    """The gradient of a loss over the global batch, without a step along it.

    g = sum_devices grad(total) / sum_devices(count),   the exact gradient of the mean over the global batch,
    even where devices count differently (masked tokens, unfinished episodes). Where nothing counts, on no device, the
    gradients are 0 and the `value` is nan: `descend` then moves by what the optimizer makes of 0.

    Args:
      loss: `loss(key, params, extras, *batch) -> (metrics, extras)` or `(metrics, extras, seen)`. `metrics["loss"]`, a
        `Mean` whose count does not depend on the parameters, is differentiated; the other entries are reported.
        `extras` are the flax collections after the pass (`forward`), or those that came. `seen`, leaves `[B, ...]`, is
        what it has to say of each example: priorities, codes, carries, errors.
      axis: name of the mapped axis that the step will run under (pmap), or None: one device, or the compiler
        inserts the reduction.
      microbatches: equal parts of the batch whose gradients are computed one after the other and summed, in less
        memory. The gradient is the same where the total is a sum over examples; not where these meet, as in batch
        statistics. Each part has a key of its own, and finds the extras that the part before left.
    Returns:
      `slope(key, params, extras, *batch) -> Gradient`.
    Raises:
      BadInput: if the batch, or a device's share of it under pmap, does not divide by `microbatches`.
    """

    def of_total(key, params, extras, *batch):
        """`((gradient, metrics), extras, seen)`."""

        def total(params):
            metrics, new, *seen = loss(key, params, extras, *batch)
            return metrics["loss"].total, (metrics, new, *(seen or [None]))

        grads, (metrics, extras, seen) = jax.grad(total, has_aux=True)(params)
        return (grads, metrics), extras, seen

    def part_by_part(key, params, extras, *batch):
        """The same, summed over the parts of the batch."""

        def body(carry, part):
            so_far, extras = carry
            more, extras, seen = of_total(part[0], params, extras, *part[1])
            return (jax.tree.map(jnp.add, so_far, more), extras), seen

        parts = jax.tree.map(functools.partial(_dealt, microbatches), batch)
        shape, _, _ = jax.eval_shape(of_total, key, params, extras, *tree.take(parts, 0))
        keys = jax.random.split(key, microbatches)
        (total, extras), seen = lax.scan(body, (tree.zeros(shape), extras), (keys, parts))
        return total, extras, jax.tree.map(_collected, seen)

    def slope(key: Key, params: PyTree, extras: PyTree, *batch) -> Gradient:
        whole = of_total if microbatches == 1 else part_by_part
        (grads, metrics), extras, seen = whole(key, params, extras, *batch)
        mean = metrics["loss"]
        if axis is not None:
            grads, mean = lax.psum((grads, mean), axis)
            extras = jax.tree.map(lambda x: lax.pmean(x, axis) if jnp.issubdtype(x.dtype, jnp.inexact) else x, extras)
        count = jnp.where(mean.count == 0, 1, mean.count)
        grads = jax.tree.map(lambda g: g / count.astype(g.dtype), grads)
        return Gradient(grads, metrics, extras, seen, mean.value)

    return slope


def descend(
    loss: Loss, tx: optax.GradientTransformation, axis: str | None = None, *, microbatches: int = 1
) -> Callable[..., tuple]:
    """Update of one learner by the gradient of one loss.

    Args:
      loss: as in `gradient`.
      tx: optax transformation; it also receives the extra argument `value` (the loss) if it takes any.
      axis: as in `gradient`.
      microbatches: as in `gradient`.
    Returns:
      `update(key, learner, *batch) -> (learner, metrics)`, and `(learner, metrics, seen)` if the loss returns it.
      Metrics are of this device: `over_devices` sums them.
    Raises:
      BadInput: as `gradient`.
    """
    slope = gradient(loss, axis, microbatches=microbatches)
    tx = optax.with_extra_args_support(tx)

    def update(key: Key, learner: Learner, *batch) -> tuple:
        found = slope(key, learner.params, learner.extras, *batch)
        updates, opt_state = tx.update(found.grads, learner.opt_state, learner.params, value=found.value)
        learner = Learner(optax.apply_updates(learner.params, updates), opt_state, found.extras)
        return (learner, found.metrics) if found.seen is None else (learner, found.metrics, found.seen)

    return update


def learning(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    loss: Callable[[PyTree, PyTree], Metrics],
    prepare: Callable[[Key, PyTree], tuple[PyTree, PyTree]],
    axis: str | None = None,
    x: str = "[B, ...]",
) -> Algorithm:
    """Descent of any loss of a model's output and what it should have been; the state is a `Learner`.

    Args:
      model: `x -> output`.
      tx: optax transformation.
      loss: `loss(output, y) -> {name: Mean}`, whose "loss" is descended; the others are reported.
      prepare: `prepare(key, batch) -> (x, y)`.
      axis: as in `descend`.
      x: what `prepare` must give first, as in `border.check`.
    """
    prepare = border.prepared(prepare, x)

    def init(key: Key, batch) -> Learner:
        x, _ = prepare(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, x), tx)

    def total(key: Key, params, extras, batch):
        prepare_key, dropout_key = jax.random.split(key)
        x, y = prepare(prepare_key, batch)
        output, extras = forward(model, dropout_key, params, extras, x)
        return loss(output, y), extras

    return Algorithm(init, descend(total, tx, axis))


def _dealt(n: int, x: Array) -> Array:
    """`[B, ...]` -> `[n, B / n, ...]`: every n-th row in one part, so that each device has an equal share of each."""
    if len(x) % n:
        raise BadInput(f"a batch of {len(x)} does not divide by {n} microbatches")
    return x.reshape(-1, n, *x.shape[1:]).swapaxes(0, 1)


def _collected(x: Array) -> Array:
    """`[n, B / n, ...]` -> `[B, ...]` in the order of before."""
    return x.swapaxes(0, 1).reshape(-1, *x.shape[2:])


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
