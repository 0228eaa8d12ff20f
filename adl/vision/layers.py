"""What each layer of a network says of a picture, and how much of the classes can be read in it."""

import functools
from collections.abc import Callable, Mapping, Sequence

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Mean, Probe, PyTree, State, did_you_mean, full_pass
from adl.measure.representation import linear_svm, softmax_regression, told_linearly
from adl.nn.mlp import flat
from adl.nn.pooling import adaptive_mean


def layer_outputs(model: nn.Module, variables: PyTree, x: Array, names: Sequence[str]) -> list[Array]:
    """What layers of a model give for inputs `x`.

    Args:
      model: whose `__call__` sees `x`.
      variables: of the model.
      x: `[B, ...]`.
      names: of the layers, as in the model's parameters: "Conv_0".
    Raises:
      KeyError: if the model calls no such layer.
    """
    wanted = {(name,) for name in names}
    _, seen = model.apply(
        variables, x, mutable=["intermediates"], capture_intermediates=lambda module, _: module.path in wanted
    )
    found = seen.get("intermediates", {})
    if missing := [name for name in names if name not in found]:
        there = list(variables.get("params", {}))
        raise KeyError(f"the model calls no layer {missing[0]}{did_you_mean(missing[0], there)}")
    return [found[name]["__call__"][0] for name in names]


def summary(maps: Array, num: int) -> Array:
    """`[B, n n C]` means over the n x n parts of maps `[B, H, W, C]`, n being the largest that makes at most `num`.

    So many numbers of each layer alike: a probe of one has no more weights than that of another. n is 1 at least, and
    no more than the maps have rows.

    Args:
      maps: what a layer says.
      num: >= 1.
    """
    chex.assert_rank(maps, 4)
    sides = max(n for n in range(1, min(maps.shape[1:3]) + 1) if n == 1 or n * n * maps.shape[-1] <= num)
    return flat(adaptive_mean(maps.astype(jnp.float32), (sides, sides)))


def read_in_layers(
    model: nn.Module,
    layers: Mapping[str, str],
    train: data.Split,
    test: data.Split,
    *,
    variables: Callable[[State], PyTree],
    encode: Callable[[Array], Array],
    by_hand: Mapping[str, Callable[[Array], Array]] = {},
    numbers: int = 256,
    l2: float = 0.01,
) -> Probe:
    """Probe: how much of the classes a linear classifier reads in each layer of a model, before and after learning.

    Softmax regression on a `summary` of what each says; the fits are one program. Features that were made by hand are
    read, whole, by a linear support vector machine.

    Args:
      model: `[B, H, W, C]` to logits.
      layers: what each is called in the result, by its name in the model's parameters, from the first to the last.
      train: "image" and "label", all of which are fitted.
      test: "image" and "label", all of which are tested.
      variables: the model's, of a state.
      encode: from pictures to what the model sees.
      by_hand: `image -> [B, D]` by name.
      numbers: of each layer, at most; more where it has more channels.
      l2: > 0, of the weights.
    Returns:
      `probe(key, state)`: accuracy on the test split by name: "pixels", that of each layer, "untrained NAME" of the
      same before learning, and those by hand; what the last layer `learned`, its gain over itself before; and its
      `gain` over the best of those by hand.
    Source: Alain & Bengio 2016, arXiv:1610.01644.
    """
    told = [*layers.values()]
    names = ["pixels", *told, *(f"untrained {name}" for name in told)]

    def summaries(key: Key, state: State, batch: PyTree) -> dict[str, Array]:
        x = encode(batch["image"])
        maps = [x]
        for own in (variables(state), model.init(key, x)):  # of one key: a random network, but one for all batches
            maps += layer_outputs(model, own, x, [*layers])
        rows = [summary(one, numbers) for one in maps]
        width = max(row.shape[1] for row in rows)
        # Constant features count nothing, so that all fits are of one shape.
        return {"layers": jnp.stack([jnp.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows], 1)}

    def seen(columns, measure, key, state):
        """Features of both splits, with their classes."""
        for (batches, label), split in zip(columns, (train, test), strict=True):
            every = full_pass(lambda _, *of: measure(key, *of), batches, len(split))
            yield every(key, state), label

    def probe(columns, key: Key, state: State) -> dict[str, Mean]:
        fits = {"num_classes": train.num_classes, "l2": l2}
        (rows, label), (asked, wanted) = seen(columns, summaries, key, state)
        soft, hard = (functools.partial(fit, **fits) for fit in (softmax_regression, linear_svm))
        both = rows["layers"].swapaxes(0, 1), asked["layers"].swapaxes(0, 1)
        right = lax.map(lambda one: told_linearly((one[0], label), (one[1], wanted), soft), both)
        found = {name: Mean.of(one) for name, one in zip(names, right, strict=True)}
        last = found[told[-1]].value
        found["learned"] = Mean.of(last - found[names[-1]].value)
        if not by_hand:
            return found
        (rows, _), (asked, _) = seen(columns, lambda _, state, batch: made(batch), key, state)
        hands = {name: told_linearly((rows[name], label), (asked[name], wanted), hard) for name in by_hand}
        best = jnp.stack([values.mean() for values in hands.values()]).max()
        found |= {name: Mean.of(values) for name, values in hands.items()}
        return {**found, "gain": Mean.of(last - best)}

    def made(batch: PyTree) -> dict[str, Array]:
        return {name: features(batch["image"]) for name, features in by_hand.items()}

    columns = [(data.padded(split.require("image"), 500), split.arrays["label"]) for split in (train, test)]
    return Partial(probe, columns)


def read_by_hand(train: data.Split, test: data.Split, features: Callable[[Array], Array], *, l2: float = 0.01) -> Probe:
    """Probe: `accuracy` on the test split of a linear support vector machine on features that nobody learned.

    Args:
      train: "image" and "label", all of which are fitted.
      test: "image" and "label", all of which are tested.
      features: `[B, H, W, C] -> [B, D]`.
      l2: > 0, of the weights.
    """

    def of(split: data.Split, batches: PyTree) -> Array:
        seen = full_pass(lambda key, _, batch: {"features": features(batch["image"])}, batches, len(split))
        return seen(jax.random.key(0), None)["features"]

    def probe(columns, key: Key, state: State) -> dict[str, Mean]:
        (learned, label), (asked, wanted) = (
            (of(split, rows), own) for split, (rows, own) in zip(both, columns, strict=True)
        )
        fit = functools.partial(linear_svm, num_classes=train.num_classes, l2=l2)
        return {"accuracy": Mean.of(told_linearly((learned, label), (asked, wanted), fit))}

    both = train, test
    return Partial(probe, [(data.padded(split, 250), split.column("label")) for split in both])
