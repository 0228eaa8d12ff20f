"""Pictures pixel by pixel, in the order of reading: row by row, in a row from the left, of a pixel channel by channel.

    p(x) = prod_i p(x_i | x_0 ... x_{i-1}),   i = (row W + column) C + channel

A model says P numbers of each pixel, of those before it: `model(x, *given) -> [B, H, W, C, P]`, where x `[B, H, W, C]`
are integer levels and `given` what else it sees, such as a class. To draw, pixels come one after the other. A model
that remembers what it has made of those before has also `model.empty_cache(B)` and
`model.read(x, place, cache, *given) -> ([B, P], cache)`, which says the same of the pixel at `place`, in its turn.
Source: van den Oord et al. 2016, arXiv:1601.06759, section 2.
"""

import math
from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, BadInput, Key, Learner, Mean, PyTree, border, descend, forward
from adl.pixel.likelihood import Likelihood

# (x [B, H, W, C], place [], memory) -> (output [B, P] of the pixel at that place, memory)
Look = Callable[[Array, Array, PyTree], tuple[Array, PyTree]]
Prepare = Callable[[Key, PyTree], tuple[Array, ...]]  # (key, batch) -> (levels [B, H, W, C] int, *what else is seen)


def pixelwise(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    prepare: Prepare,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of pictures, pixel by pixel; the state is a `Learner`.

    A step reports the `loss` in nats a dimension, which is a pixel's channel, and the same in `bits`.

    Args:
      model: `(x, *given) -> [B, H, W, C, P]`, which says of each pixel what follows from those before.
      tx: optax transformation.
      likelihood: of a level, given P numbers.
      prepare: `prepare(key, batch) -> (x [B, H, W, C] int, *given)`.
      axis: as in `core.descend`.
    """
    prepare = border.prepared(prepare, "int [B, H, W, C]")

    def init(key: Key, batch) -> Learner:
        return Learner.create(model.init(key, *prepare(jax.random.fold_in(key, 1), batch)), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, dropout_key = jax.random.split(key)
        x, *given = prepare(prepare_key, batch)
        output, extras = forward(model, dropout_key, params, extras, x, *given)
        nats = likelihood.surprise(output.astype(jnp.float32), x)
        return {"loss": Mean.of(nats), "bits": Mean.of(nats / math.log(2))}, extras

    return Algorithm(init, descend(loss, tx, axis))


def looking_back(model: nn.Module, variables: PyTree, size: int, *given: Array) -> tuple[Look, PyTree]:
    """`(look, memory)` of a model that remembers what it made of the pixels before.

    Args:
      model: with `read` and `empty_cache`.
      variables: of the model.
      size: B, pictures side by side.
      *given: what else the model sees.
    """

    def look(x: Array, place: Array, memory: PyTree) -> tuple[Array, PyTree]:
        return model.apply(variables, x, place, memory, *given, method="read")

    return look, model.empty_cache(size)


def looking_anew(model: nn.Module, variables: PyTree, *given: Array) -> tuple[Look, PyTree]:
    """The same of any model: the whole picture is seen again for each pixel, and nothing is remembered."""

    def look(x: Array, place: Array, memory: PyTree) -> tuple[Array, PyTree]:
        output = model.apply(variables, x, *given)
        return output.reshape(len(x), -1, output.shape[-1])[:, place], memory

    return look, ()


def completed(
    key: Key,
    look: Look,
    memory: PyTree,
    x: Array,
    known: Array,
    *,
    likelihood: Likelihood,
    choose: Callable[[Key, Array], Array] = jax.random.categorical,
) -> Array:
    """`[B, H, W, C]` pictures whose known pixels are those of `x`; the others are drawn in turn, each given all before.

    What is known after a pixel does not bear on it: the lower half of a picture follows from the upper, not the upper
    from the lower. One program, a scan over pixels, whichever way the model looks.

    Args:
      key: consumed; the pixel at place i is drawn with `fold_in(key, i)`.
      look: of `looking_back` or `looking_anew`.
      memory: of the same.
      x: `[B, H, W, C]` integer levels; of pixels that are not known they do not matter.
      known: `[H, W, C]` boolean.
      likelihood: of a level, as in training.
      choose: `(key, log-odds [B, K]) -> level [B]`; by default by chance.
    """
    chex.assert_rank(x, 4)
    chex.assert_shape(known, x.shape[1:])
    chex.assert_type(x, int)
    known = jnp.asarray(known).reshape(-1)
    # Levels that nobody knows are 0 until they are drawn, so that whatever stood there cannot be seen.
    start = jnp.where(known[None], x.reshape(len(x), -1), 0)

    def one(carry, place):
        flat, memory = carry
        output, memory = look(flat.reshape(x.shape), place, memory)
        drawn = choose(jax.random.fold_in(key, place), likelihood.logits(output.astype(jnp.float32)))
        kept = jnp.where(known[place], flat[:, place], drawn.astype(flat.dtype))
        return (flat.at[:, place].set(kept), memory), None

    (flat, _), _ = lax.scan(one, (start, memory), jnp.arange(len(known)))
    return flat.reshape(x.shape)


def symmetric_levels(x: Array, num_levels: int) -> Array:
    """Levels 0 ... K - 1 `[...]` as float32 in [-1, 1]."""
    return 2 * x.astype(jnp.float32) / (num_levels - 1) - 1


def class_of(label: Array | None, num_classes: int) -> Array | None:
    """The class that a model of so many sees; None of one that sees none.

    Raises:
      BadInput: at trace time, if one is given that would not be seen, none is where it should be, or it is no class.
    """
    if num_classes and label is None:
        raise BadInput(f"a model of {num_classes} classes needs a label [B] beside the levels")
    if label is not None and not num_classes:
        raise BadInput("a label is given to a model without classes, which would not see it; num_classes makes it one")
    if label is not None and not (label.ndim == 1 and jnp.issubdtype(label.dtype, jnp.integer)):
        raise BadInput(f"a label is int [B], not {label.dtype} {list(label.shape)}")
    return label


def upper_half(shape: Sequence[int]) -> Array:
    """`[H, W, C]` boolean: the rows above the middle.

    Raises:
      BadInput: of a picture of a single row, which has no upper half.
    """
    if shape[0] < 2:
        raise BadInput(f"pictures of {shape[0]} row have no upper half to be completed from")
    return jnp.broadcast_to((jnp.arange(shape[0]) < shape[0] // 2)[:, None, None], tuple(shape))
