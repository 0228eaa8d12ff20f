"""Pictures as sequences: a pixel a step, row after row, so that what is first must be known long after.

The pixels may come in another order, the same for all pictures: neighbours are then far apart, and nothing local helps.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Mean, Probe, border, full_pass
from adl.measure.representation import softmax_regression, told_linearly
from adl.prob.labels import cross_entropy, is_correct
from adl.prob.neighbours import classify

AT_ONCE = 100  # pictures


def scan_order(num: int, kind: Literal["rows", "permuted"], *, seed: int = 0) -> np.ndarray:
    """`[T]` places of a picture's T = `num` pixels in the order in which they come.

    Args:
      num: T >= 1.
      kind: row after row, or in an order drawn once.
      seed: of the draw.
    Source: Le et al. 2015, arXiv:1504.00941, section 4.2.
    """
    places = np.arange(num)
    return places if kind == "rows" else np.random.default_rng(seed).permutation(places)


def scanned(image: Array, order: np.ndarray) -> Array:
    """`[B, T, C]` pixels in -1 ... 1 of pictures `image` `[B, H, W, C]` in 0 ... 1, one after the other in `order`."""
    pixels = image.reshape(len(image), -1, image.shape[-1])
    return 2 * pixels[:, order] - 1


def scanned_views(
    order: np.ndarray, augment: Callable[[Key, Array], Array] | None = None
) -> Callable[[Key, Mapping[str, Array]], tuple[Array, Array]]:
    """`prepare(key, batch) -> (x [B, T, C], label [B])` of "image" and "label".

    Args:
      order: of `scan_order`.
      augment: `(key, [B, H, W, C] in 0 ... 1) -> [B, H, W, C]`, before pixels are in a row; None: none.
    """

    def prepare(key: Key, batch: Mapping[str, Array]) -> tuple[Array, Array]:
        border.check(batch, image="[B, H, W, C]", label="int [B]")
        image = data.image.unit(batch["image"])
        return scanned(image if augment is None else augment(key, image), order), batch["label"]

    return prepare


def judged_scans(models: Mapping[str, nn.Module], test: data.Split, order: np.ndarray) -> Probe:
    """Probe of what models say of a whole split.

    Args:
      models: by name, as in the state `{name: Learner}`; the parameters are the averaged ones.
      test: "image" and "label".
      order: of `scan_order`.
    Returns:
      Of each model `NAME_accuracy`, `NAME_loss` in nats and `NAME_probability` `[N, K]`; and `loss`, the first's.
    """

    def measure(key: Key, state: Mapping[str, Learner], batch) -> dict[str, Mean | Array]:
        x, found = scanned(data.image.unit(batch["image"]), order), {}
        for name, model in models.items():
            logits = model.apply(state[name].averaged, x)
            loss = Mean.of(cross_entropy(logits, batch["label"]), batch["mask"])
            found |= {"loss": found.get("loss", loss), f"{name}_loss": loss}
            found[f"{name}_accuracy"] = Mean.of(is_correct(logits, batch["label"]), batch["mask"])
            found[f"{name}_probability"] = jax.nn.softmax(logits)
        return found

    return full_pass(measure, data.padded(test, AT_ONCE), len(test))


def says_of_pictures(
    model: nn.Module, name: str, order: np.ndarray
) -> Callable[[Key, Mapping[str, Learner], Array], Array]:
    """`(key, state, image [B, H, W, C] uint8) -> [B, K]`, the log-odds of the model of this name."""

    def say(key: Key, state: Mapping[str, Learner], image: Array) -> Array:
        return model.apply(state[name].averaged, scanned(data.image.unit(image), order))

    return say


def far_seeing(models: Mapping[str, nn.Module], test: data.Split, order: np.ndarray) -> Probe:
    """Probe: how much what is said in the end hangs on each step, by its gradient: what is forgotten has none.

    Args:
      models: as in `judged_scans`.
      test: "image" and "label", of which the first `AT_ONCE` are asked.
      order: of `scan_order`.
    Returns:
      Of each model `NAME_slope` `[T]`: mean length of the gradient of the right class's log-probability with respect to
      the pixel of each step.
    """
    some = test.first(AT_ONCE).arrays

    def probe(carried, key: Key, state: Mapping[str, Learner]) -> dict[str, Array]:
        x, label = scanned(data.image.unit(jnp.asarray(carried["image"])), order), jnp.asarray(carried["label"])

        def slope(name: str) -> Array:
            def surprise(x):
                return cross_entropy(models[name].apply(state[name].averaged, x), label).sum()

            return jnp.linalg.norm(jax.grad(surprise)(x), axis=-1).mean(0)

        return {f"{name}_slope": slope(name) for name in models}

    return Partial(probe, {name: some[name] for name in ("image", "label")})


def without_order(train: data.Split, test: data.Split, *, k: int = 3) -> Probe:
    """Probe: what is known without any order of the pixels, and so the same in each.

    Args:
      train: "image" and "label", all of which are learned.
      test: "image" and "label", all of which are asked.
      k: nearest neighbours that vote.
    Returns:
      `nearest` and `linear`: accuracy of the nearest neighbours, and of softmax regression (standardised, C = 1).
    """
    num_classes = train.num_classes

    def flat(image) -> Array:
        return data.image.unit(jnp.asarray(image)).reshape(len(image), -1)

    def probe(carried, key: Key, state) -> dict[str, Mean]:
        def fit(x, label):
            return softmax_regression(x, label, num_classes=num_classes, l2=1 / len(train))

        (image, known), (asked, wanted) = carried
        known, wanted = jnp.asarray(known), jnp.asarray(wanted)
        x, y = flat(image), flat(asked)
        steps = range(0, len(test), 500)  # of which all distances have room
        said = [classify(y[at : at + 500], x, known, k=k, num_classes=num_classes) for at in steps]
        linear = told_linearly((x, known), (y, wanted), fit)
        return {"nearest": Mean.of(jnp.concatenate(said) == wanted), "linear": Mean.of(linear)}

    return Partial(probe, [(split.arrays["image"], split.arrays["label"]) for split in (train, test)])
