"""Accuracy by strength: each number is of its own pictures."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.data.scenes import STRENGTHS, Variation, Varied
from adl.vision.strengths import by_strength, strength_of


def test_each_strength_is_judged_by_its_own_pictures():
    kinds, steps, num = len(Variation._fields), len(STRENGTHS), 10
    label = np.arange(num) % 2
    # In pictures of variation v at step a, the first v + a of the ten things look like the other class.
    wrong = np.arange(kinds)[:, None] + np.arange(steps) > np.arange(num)[:, None, None]
    told = np.where(wrong, 1 - label[:, None, None], label[:, None, None])
    image = np.moveaxis(told, 0, 2)[..., None, None, None].astype(np.uint8)

    def logits(learner, image):
        return jax.nn.one_hot(image[:, 0, 0, 0], 2)

    found = by_strength(logits, Varied(jnp.asarray(image), jnp.asarray(label)))(jax.random.key(0), None)
    for v, name in enumerate(Variation._fields):
        for a, strength in enumerate(STRENGTHS):
            one = found[strength_of(name, strength)]
            np.testing.assert_allclose(one.total / one.count, 1 - (v + a) / num, atol=1e-6)
    np.testing.assert_allclose(
        found["worst"].total / found["worst"].count, 1 - (kinds - 1 + steps - 1) / num, atol=1e-6
    )
