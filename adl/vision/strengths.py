"""How well a classifier does as pictures differ more and more in one way."""

from collections.abc import Callable

import jax
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Learner, Mean, Probe
from adl.data.scenes import STRENGTHS, Variation
from adl.data.scenes.varied import Varied
from adl.prob.labels import is_correct


def by_strength(logits: Callable[[Learner, Array], Array], pictures: Varied) -> Probe:
    """Probe: accuracy at each strength of each variation, and how much the strongest of each costs.

    Args:
      logits: `(learner, [N, H, W, 3] uint8) -> [N, K]`.
      pictures: `[V, A, N, ...]`.

    Returns:
      `probe(key, learner)`: metrics named by `strength_of(name, strength)`, and `worst`, the accuracy at full strength
      of whatever costs most.
    """

    def probe(carried: Varied, key: Key, learner: Learner) -> dict[str, Mean | Array]:
        def one(images):
            return Mean.of(is_correct(logits(learner, images), carried.label))

        image = carried.image.reshape(-1, *carried.image.shape[2:])
        right = jax.lax.map(one, image)
        names = [strength_of(name, strength) for name in Variation._fields for strength in STRENGTHS]
        each = {name: Mean(right.total[i], right.count[i]) for i, name in enumerate(names)}
        last = right.total.reshape(len(Variation._fields), -1)[:, -1]
        return {**each, "worst": Mean(last.min(), right.count[0])}

    return Partial(probe, pictures)


def strength_of(name: str, strength: float) -> str:
    """Name of the metric: "occlusion_100" at full strength."""
    return f"{name}_{round(100 * strength)}"


def rows(probe: str) -> dict[str, list[str]]:
    """Names of what a probe of that name says of each variation, in the order of `STRENGTHS`."""
    return {
        name.replace("_", " "): [f"{probe}/{strength_of(name, strength)}" for strength in STRENGTHS]
        for name in Variation._fields
    }
