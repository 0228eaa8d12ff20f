"""What translators are judged by, where the true translation of each picture is known, though they never saw it."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Learner, Mean, Probe
from adl.gan.adversarial import Players
from adl.nn.mlp import flat
from adl.prob import neighbours

SHOWN = 12  # pictures


class Known(NamedTuple):
    """Pictures in [-1, 1] with their translations and their classes."""

    x: Array  # [N, H, W, C]
    y: Array  # [N, H, W, C]
    label: Array  # [N] in 0 ... K - 1


def translate(pair: nn.Module, state: Players[Learner], x: Array, way: str = "forth") -> Array:
    """`[B, H, W, C]` in (-1, 1): pictures `x` `[B, H, W, C]` as the averaged translator of that way makes them.

    Args:
      pair: as `cycle.cyclegan` has it.
      state: of the same.
      x: in [-1, 1].
      way: "forth", from X to Y; or "back".
    """
    return pair.apply(state.gen.averaged, x, method=lambda pair, x: getattr(pair, way)(x))


def translated(pair: nn.Module, test: Known, train: Known, *, num_classes: int) -> Probe:
    """Probe: test pictures translated forth and back by averaged parameters, and others back and forth.

    Args:
      pair: as `cycle.cyclegan` has it.
      test: pictures that nobody learned from.
      train: pictures of both kinds by which classes are recognised, by 3 nearest neighbours of that kind.
      num_classes: K.
    Returns:
      Of each way, "forth_" from X to Y and "back_" from Y to X, and as their mean: `error`, mean absolute difference
      of a pixel, in [0, 1], from the true translation; `cycle`, of the picture that comes back from the one that went;
      `class_kept`, share of the translations whose class is recognised as that of their picture. Beside them what
      knows nothing or all, as means of both ways: `mean_error` and `mean_kept` of the mean training picture;
      `same_error` and `same_kept` of the picture itself; `true_kept` of the true translation. And `grid`
      `[4, 12, H, W, C]` in [0, 1]: pictures, their translations, the true ones, and what comes back.
    """

    def probe(known, key: Key, state: Players[Learner]) -> dict[str, Mean | Array]:
        test, train = known

        def through(x: Array, way: str) -> Array:
            return translate(pair, state, x, way)

        def judged(way: str, other: str, x: Array, y: Array, reference: Array) -> dict[str, Array]:
            kept = _recognition(reference, train.label, test.label, num_classes)
            made = through(x, way)
            mean = jnp.broadcast_to(reference.mean(0)[None], x.shape)
            shares = {"class": made, "mean": mean, "same": x, "true": y}
            return {
                "error": _difference(made, y),
                "cycle": _difference(through(made, other), x),
                **{f"{name}_error": _difference(shares[name], y) for name in ("mean", "same")},
                **{f"{name}_kept": kept(rows) for name, rows in shares.items()},
            }

        ways = {
            "forth": judged("forth", "back", test.x, test.y, train.y),
            "back": judged("back", "forth", test.y, test.x, train.x),
        }
        own = {f"{way}_{name}": ways[way][name] for way in ways for name in ("error", "cycle", "class_kept")}
        both = {name: (value + ways["back"][name]) / 2 for name, value in ways["forth"].items()}
        few, made = test.x[:SHOWN], through(test.x[:SHOWN], "forth")
        grid = jnp.stack([few, made, test.y[:SHOWN], through(made, "back")])
        return {**{name: Mean.of(value) for name, value in {**both, **own}.items()}, "grid": (grid + 1) / 2}

    return Partial(probe, (Known(*map(jnp.asarray, test)), Known(*map(jnp.asarray, train))))


def _recognition(reference: Array, classes: Array, label: Array, num_classes: int) -> Callable[[Array], Array]:
    """`pictures [N, ...] -> [N]`: 1 where one is recognised as `label`, else 0."""
    rows = flat(reference)

    def kept(pictures: Array) -> Array:
        found = neighbours.classify(flat(pictures), rows, classes, k=3, num_classes=num_classes)
        return jnp.where(found >= 0, found == label, jnp.nan)

    return kept


def _difference(a: Array, b: Array) -> Array:
    """`[N]` mean absolute difference of pixels, in units of their range from -1 to 1."""
    return flat(jnp.abs(a - b)).mean(1) / 2
