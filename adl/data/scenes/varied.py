"""The same things seen again and again, each time with more of one variation."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Key
from adl.data.scenes.drawn import rendered, single
from adl.data.scenes.layout import MILD, Bank, Variation

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Varied(NamedTuple):
    """N things, each seen with A strengths of V variations, the others being mild."""

    image: np.ndarray  # [V, A, N, H, W, 3] uint8, in the order of the fields of `Variation` and of `STRENGTHS`
    label: np.ndarray  # [N] int32


def every_strength(num: int, *, seed: int, size: int = 32) -> Varied:
    """Pictures by strength of each variation: a thing, its colours and its luck are the same in all of its pictures.

    Args:
      num: N >= 1 things, with digits by the writers of the test split.
      seed: >= 0.
      size: H = W in pixels.
    """
    kinds, steps = len(Variation._fields), len(STRENGTHS)
    found = rendered(_maker(size), seed, num, split="test")
    image = np.moveaxis(found.image.reshape(num, kinds, steps, *found.image.shape[2:]), 0, 2)
    return Varied(image, found.label[:, 0, 0])


@functools.lru_cache(maxsize=2)
def _maker(size: int):
    each = [MILD._replace(**{name: strength}) for name in Variation._fields for strength in STRENGTHS]
    strengths = jax.tree.map(lambda *values: jnp.array(values, jnp.float32), *each)

    def make(key: Key, bank: Bank):
        # One after the other: what is alike in them is computed again, but little is held at once.
        return jax.lax.map(lambda strength: single(key, bank, size=size, variation=strength), strengths)

    return make
