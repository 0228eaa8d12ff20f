"""Extrapolation: what a classifier says of pictures that are turned, scaled or inverted, and of other things.

A softmax has no word for "none of these"; how sure a network is far from what it learned is a matter of luck, and here
it is counted.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Mean, Probe, PyTree
from adl.data.image import unit
from adl.data.views import affine
from adl.measure.roc import area_under_roc, threshold_curve
from adl.prob.labels import is_correct

Logits = Callable[[PyTree, Array], Array]  # (state, x [B, H, W, C] in [0, 1]) -> [B, K]
TOLD = ("right", "confident", "entropy", "image", "said")


class Alteration(NamedTuple):
    """What becomes of a picture; or `[A]` changes."""

    degrees: Array = 0.0  # turned counterclockwise about its middle, zeros coming in from outside
    factor: Array = 1.0  # enlarged about its middle, > 0
    contrast: Array = 1.0  # times the distance of each pixel from grey; -1 inverts

    def of(self, x: Array) -> Array:
        """`[B, H, W, C]` of pictures x in [0, 1]."""
        angle = jnp.deg2rad(self.degrees)
        turn = jnp.stack([jnp.stack([jnp.cos(angle), -jnp.sin(angle)]), jnp.stack([jnp.sin(angle), jnp.cos(angle)])])
        moved = affine(x, jnp.tile((self.factor * turn)[None], (len(x), 1, 1)), jnp.zeros((len(x), 2)))
        return 0.5 + self.contrast * (moved - 0.5)


AMOUNTS = {"turned": np.arange(0, 181, 15.0), "scaled": np.linspace(0.4, 2.2, 10), "inverted": np.linspace(1, -1, 11)}
TEXTS = {"turned": "degrees", "scaled": "enlarged by", "inverted": "contrast, inverted below 0"}
CHANGES = {
    "turned": Alteration(degrees=AMOUNTS["turned"]),
    "scaled": Alteration(factor=AMOUNTS["scaled"]),
    "inverted": Alteration(contrast=AMOUNTS["inverted"]),
}


def changed(tell: Logits, changes: Mapping[str, Alteration], pictures: data.Split, shown: int) -> Probe:
    """Probe of answers to pictures that change more and more, in several ways.

    Args:
      tell: of the network.
      changes: ways by name, each of its own A changes.
      pictures: N with "image" and "label".
      shown: pictures whose changes are kept, the first.
    Returns:
      `probe(key, state)`: by way, "NAME right", "NAME confident" and "NAME entropy" `[A]`: the share of right answers,
      the mean of the largest probability, and the mean entropy as a share of the uniform's; of its last change
      `NAME_accuracy` and `NAME_confidence`; and "NAME image" `[A, R, H, W, C]`, "NAME said" `[A, R, K]`.
    """
    lengths = {name: max(map(np.size, change)) for name, change in changes.items()}
    table = [
        Alteration(*(jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), (lengths[name],)) for leaf in change))
        for name, change in changes.items()
    ]
    every = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *table)

    def probe(arrays, key: Key, state: PyTree) -> dict[str, Mean | Array]:
        x, label = unit(jnp.asarray(arrays["image"])), jnp.asarray(arrays["label"])

        def one(change):
            image = change.of(x)
            p = jax.nn.softmax(tell(state, image))
            entropy = jax.scipy.special.entr(p).sum(-1).mean() / np.log(p.shape[-1])
            return is_correct(p, label).mean(), p.max(-1).mean(), entropy, image[:shown], p[:shown]

        found, start = {}, 0
        seen = lax.map(one, every)
        for name, length in lengths.items():
            part = [leaf[start : start + length] for leaf in seen]
            found |= {f"{name} {what}": leaf for what, leaf in zip(TOLD, part, strict=True)}
            found |= {f"{name}_accuracy": Mean.of(part[0][-1]), f"{name}_confidence": Mean.of(part[1][-1])}
            start += length
        return found

    return Partial(probe, dict(pictures.arrays))


def foreign(tell: Logits, known: np.ndarray, others: Mapping[str, np.ndarray], shown: int) -> Probe:
    """Probe of answers to pictures that show none of the classes.

    Args:
      tell: of the network.
      known: `[N, H, W, C]` uint8, of the classes, that were not learned from.
      others: `[M, H, W, C]` uint8 of each kind, by its name.
      shown: pictures of each kind that are kept, those of which the network is surest.
    Returns:
      `probe(key, state)`: `known_confidence`, the mean of the largest probability, and of each kind `NAME_confidence`,
      `NAME_sure`, the share of at least 0.9, and `NAME_area`, how often a picture of a class has more of it than one of
      that kind (AUROC, 0.5: chance); the arrays "NAME image" `[R, H, W, C]`, "NAME said" `[R, K]`.
    Source: Hendrycks & Gimpel 2017, arXiv:1610.02136, section 3: the baseline of the largest probability.
    """

    def probe(carried, key: Key, state: PyTree) -> dict[str, Mean | Array]:
        known, others = carried
        sizes = [len(known), *(len(images) for images in others.values())]
        x = unit(jnp.concatenate([jnp.asarray(known), *(jnp.asarray(images) for images in others.values())]))
        p = jax.nn.softmax(tell(state, x))
        ends = np.cumsum([0, *sizes])
        parts = {name: slice(*ends[k : k + 2]) for k, name in enumerate(("known", *others))}
        sure = {name: p[rows].max(-1) for name, rows in parts.items()}
        found = {f"{name}_confidence": Mean.of(values) for name, values in sure.items()}
        for name in others:
            score = jnp.concatenate([sure["known"], sure[name]])
            curve = threshold_curve(score, jnp.arange(len(score)) < len(known))
            most = jnp.argsort(-sure[name])[:shown]
            found |= {
                f"{name}_area": Mean.of(area_under_roc(curve)),
                f"{name}_sure": Mean.of(sure[name] >= 0.9),
                f"{name} image": x[parts[name]][most],
                f"{name} said": p[parts[name]][most],
            }
        return found

    return Partial(probe, (known, dict(others)))


def without_sense(pictures: np.ndarray, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures that show nothing, as many as there are, uint8: `noise`, each pixel by itself, even in 0 ... 255, and
    `shuffled`, their own pixels in another order.
    """
    rng = np.random.default_rng(seed)
    flat = pictures.reshape(len(pictures), -1, pictures.shape[-1])
    order = rng.permuted(np.tile(np.arange(flat.shape[1]), (len(flat), 1)), axis=1)
    noise = rng.integers(0, 256, pictures.shape).astype(np.uint8)
    return {"noise": noise, "shuffled": np.take_along_axis(flat, order[..., None], 1).reshape(pictures.shape)}
