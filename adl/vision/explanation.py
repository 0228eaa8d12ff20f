"""What maps of saliency are worth: whether they point at the thing, sum to what they promise, and need the network.

The grid pointing game: four pictures of different classes side by side, and the class of one is asked for. A map of
that class should lie in its cell, and on its thing; what only finds edges, or things, has a quarter.
Source: Boehle, Fritz & Schiele 2021, arXiv:2104.00032, section 4.1.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import BadInput, Key, Mean, Probe, PyTree
from adl.data.image import unit
from adl.measure.pointing import mass_within, pointed
from adl.measure.ranks import rank_correlation
from adl.vision import saliency

AT_ONCE = 16  # pictures that are explained at once

Explain = Callable[[Key, PyTree, Array, Array], dict[str, Array]]  # (key, variables, x, label) -> [B, H, W] >= 0 each

METHODS = {
    "gradient": "gradient",
    "gradient_input": "gradient\nx input",
    "integrated": "integrated",
    "smooth": "SmoothGrad",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
}
WITH_EDGES = METHODS | {"edges": "edges\n(no network)"}


class Grids(NamedTuple):
    """Four pictures each, side by side, and which is asked for."""

    image: np.ndarray  # [N, 2 H, 2 W, C] uint8
    label: np.ndarray  # [N] class that is asked for, which one cell has
    thing: np.ndarray  # [N, 2 H, 2 W] whether a pixel is of the thing in that cell
    cell: np.ndarray  # [N, 2 H, 2 W] whether it is in that cell

    @classmethod
    def of(cls, image: np.ndarray, label: np.ndarray, thing: np.ndarray, num: int, *, seed: int = 0) -> "Grids":
        """So many, drawn from pictures `[M, H, W, C]` of at least four classes, with masks `[M, H, W]` of their things.

        Each class is asked for as often as the others; the cells are shuffled.

        Raises:
          BadInput: if there are fewer classes, or the masks are of another size than the pictures.
        """
        if thing.shape != image.shape[:3]:
            raise BadInput(f"masks {list(thing.shape)} of pictures {list(image.shape)}: each pixel has one, [N, H, W]")
        rng = np.random.default_rng(seed)
        there = np.unique(label)
        if len(there) < 4:
            raise BadInput(f"a grid is of four classes, and there are pictures of {len(there)}")
        rows = np.empty((num, 4), int)
        for i in range(num):
            asked = there[i % len(there)]
            others = rng.choice(there[there != asked], 3, replace=False)
            rows[i] = [rng.choice(np.flatnonzero(label == k)) for k in (asked, *others)]
        place = rng.permuted(np.tile(np.arange(4), (num, 1)), axis=1)  # of the asked one and of the three others
        order = place.argsort(1)
        asked_for = (np.arange(4) == place[:, :1])[..., None, None]
        every = np.take_along_axis(rows, order, 1)
        return cls(
            tiled(image[every]),
            label[rows[:, 0]],
            tiled(thing[every] & asked_for),
            tiled(np.ones_like(thing[every]) & asked_for),
        )


def tiled(cells: np.ndarray) -> np.ndarray:
    """`[N, 2 H, 2 W, ...]` of four pictures each, `[N, 4, H, W, ...]`, by rows."""
    num, _, height, width, *more = cells.shape
    return cells.reshape(num, 2, 2, height, width, *more).swapaxes(2, 3).reshape(num, 2 * height, 2 * width, *more)


def explanations(model: nn.Module, *, layer: str, path: int, samples: int, std: float, square: int) -> Explain:
    """Six ways to explain the logit of a class: `gradient`, `gradient_input`, `integrated`, `smooth`, `grad_cam`,
    `occlusion`. Those by slopes are one program.

    Args:
      model: `[B, H, W, C] -> [B, K]` of pictures in [0, 1].
      layer: of Grad-CAM.
      path: gradients on the way from a picture's mean colour, of integrated gradients.
      samples: noisy pictures of SmoothGrad.
      std: their noise.
      square: side of what is laid over pictures, in pixels; a square each half of it. It has their mean colour.
    """

    def explain(key: Key, variables: PyTree, x: Array, label: Array) -> dict[str, Array]:
        def score(x):
            return score_of(model, variables, x, label)

        def slope(how):
            is_on_the_way, num, std = how
            baseline = jnp.where(is_on_the_way, mean_colour(x), x)
            return saliency.mean_slope(key, score, x, baseline=baseline, num=num, std=std)

        ways = (jnp.array([False, True, False]), jnp.array([1, path, samples]), jnp.array([0.0, 0.0, std]))
        gradient, on_the_way, smooth = lax.map(slope, ways)
        maps = {
            "gradient": gradient,
            "gradient_input": x * gradient,
            "integrated": (x - mean_colour(x)) * on_the_way,
            "smooth": smooth,
            "grad_cam": saliency.grad_cam(model, variables, x, label, layer=layer),
            "occlusion": saliency.occlusion(score, x, size=square, stride=max(square // 2, 1), fill=mean_colour(x)),
        }
        return {name: saliency.heat(found) for name, found in maps.items()}

    return explain


def score_of(model: nn.Module, variables: PyTree, x: Array, label: Array) -> Array:
    """`[B]` logit of each picture's class `label` `[B]`."""
    return jnp.take_along_axis(model.apply(variables, x), label[:, None], -1)[:, 0]


def mean_colour(x: Array) -> Array:
    """`[B, 1, 1, C]` of pictures `[B, H, W, C]`."""
    return x.mean((1, 2), keepdims=True)


def edges(x: Array) -> Array:
    """`[B, H, W]` how much pictures `[B, H, W, C]` change at a place: a map that knows of no network."""
    return jnp.sqrt(sum(jnp.square(part).sum(-1) for part in jnp.gradient(x, axis=(1, 2))))


def in_parts(explain: Explain, key: Key, variables: PyTree, x: Array, label: Array) -> dict[str, Array]:
    """`[N, H, W]` maps of all pictures, a few at a time."""
    num, size = len(x), min(AT_ONCE, len(x))
    x, label = (jnp.pad(leaf, [(0, -num % size), *[(0, 0)] * (leaf.ndim - 1)]) for leaf in (x, label))
    parts = (leaf.reshape(-1, size, *leaf.shape[1:]) for leaf in (x, label))
    keys = jax.random.split(key, len(x) // size)
    found = lax.map(lambda part: explain(part[0], variables, *part[1:]), (keys, *parts))
    return {name: maps.reshape(-1, *maps.shape[2:])[:num] for name, maps in found.items()}


def pointing(explain: Explain, variables_of: Callable[[PyTree], PyTree], grids: Grids, shown: int) -> Probe:
    """Probe of the grid pointing game.

    Args:
      explain: from `explanations`.
      variables_of: a state's.
      grids: N of them.
      shown: of which the pictures and maps are kept.
    Returns:
      `probe(key, state)`: of each way, `NAME_pointing`, the share of grids whose largest value lies on the thing, and
      `NAME_cell`, the share of the map's sum in the cell; the same of `edges` and of `uniform`, a map that is the same
      everywhere; and the arrays "picture" `[R, 2 H, 2 W, C]`, "asked" `[R]` and "map NAME" `[R, 2 H, 2 W]`.
    """

    def probe(grids: Grids, key: Key, state: PyTree) -> dict[str, Mean | Array]:
        x, label = unit(jnp.asarray(grids.image)), jnp.asarray(grids.label)
        thing, cell = jnp.asarray(grids.thing), jnp.asarray(grids.cell)
        maps = in_parts(explain, key, variables_of(state), x, label)
        found = {"picture": x[:shown], "asked": label[:shown]}
        maps |= {"edges": edges(x), "uniform": 0 * x[..., 0] + 1}
        shares = jax.vmap(lambda heat: (pointed(heat, thing), mass_within(heat, cell)))(jnp.stack([*maps.values()]))
        for (name, heat), on_thing, in_cell in zip(maps.items(), *shares, strict=True):
            found |= {f"{name}_pointing": Mean.of(on_thing), f"{name}_cell": Mean.of(in_cell)}
            found[f"map {name}"] = heat[:shown]
        return found

    return Partial(probe, grids)


def completeness(
    model: nn.Module, variables_of: Callable[[PyTree], PyTree], pictures: Mapping[str, np.ndarray], num_steps: int
) -> Probe:
    """Probe: `gap`, by how much integrated gradients miss what they sum to, a share of it, the mean over pictures.

    |sum - (score(x) - score(baseline))| / |score(x) - score(baseline)|,   the baseline the mean colour

    Args:
      model: as in `explanations`.
      variables_of: a state's.
      pictures: "image" `[N, H, W, C]`, "label" `[N]`.
      num_steps: gradients on the way.
    """

    def probe(pictures, key: Key, state: PyTree) -> dict[str, Mean]:
        variables, x, label = variables_of(state), unit(jnp.asarray(pictures["image"])), jnp.asarray(pictures["label"])

        def score(x):
            return score_of(model, variables, x, label)

        baseline = jnp.broadcast_to(mean_colour(x), x.shape)
        total = saliency.integrated_gradients(score, x, baseline=baseline, num_steps=num_steps).sum((1, 2, 3))
        gain = score(x) - score(baseline)
        return {"gap": Mean(jnp.abs(total - gain).sum(), jnp.abs(gain).sum())}

    return Partial(probe, dict(pictures))


def randomised(
    model: nn.Module,
    explain: Explain,
    variables_of: Callable[[PyTree], PyTree],
    pictures: Mapping[str, np.ndarray],
) -> Probe:
    """Probe of what is left of maps when layers are drawn anew, from the last down: the model-randomisation check.

    Args:
      model: as in `explanations`.
      explain: from `explanations`.
      variables_of: a state's.
      pictures: as in `completeness`.
    Returns:
      `probe(key, state)`: "rank NAME" `[L]`, the mean over pictures of Spearman's correlation of the map with that of
      the network as it learned, after 1, ..., L layers; and `NAME_rank`, the last of them.
      A map that is the same everywhere, as Grad-CAM's where nothing speaks for the class, counts 0.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.1.
    """

    def probe(pictures, key: Key, state: PyTree) -> dict[str, Mean | Array]:
        variables, x, label = variables_of(state), unit(jnp.asarray(pictures["image"])), jnp.asarray(pictures["label"])
        steps = saliency.cascade(key, model, variables, x[:1])
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), variables, *steps.values())
        maps = lax.map(lambda changed: in_parts(explain, key, changed, x, label), stacked)
        each = jnp.stack([*maps.values()])  # [6, 1 + L, N, H, W]
        each = each.reshape(*each.shape[:3], -1)
        alike = jax.vmap(jax.vmap(jax.vmap(_alike), (None, 0)))(each[:, 0], each[:, 1:]).mean(2)
        found = {}
        for name, ranks in zip(maps, alike, strict=True):
            found |= {f"rank {name}": ranks, f"{name}_rank": Mean.of(ranks[-1])}
        return found

    return Partial(probe, dict(pictures))


def _alike(one: Array, other: Array) -> Array:
    """`[]` rank correlation of two maps `[P]`; 0 where one is the same everywhere, and says nothing of the other."""
    is_flat = (one.min() == one.max()) | (other.min() == other.max())
    return jnp.where(is_flat, 0.0, rank_correlation(one, other))
