"""Pixels to floats: the ends of the range are exact, and no step is lost."""

import jax.numpy as jnp
import numpy as np

from adl.data import image

PIXELS = jnp.arange(256, dtype=jnp.uint8)


def test_unit_and_symmetric():
    unit, symmetric = image.unit(PIXELS), image.symmetric(PIXELS)
    assert unit.dtype == symmetric.dtype == jnp.float32
    assert (unit[0], unit[-1], symmetric[0], symmetric[-1]) == (0, 1, -1, 1)
    np.testing.assert_allclose(symmetric, 2 * unit - 1, atol=1e-6)
    np.testing.assert_array_equal(jnp.round(unit * 255), PIXELS)
    np.testing.assert_allclose(jnp.diff(unit), 1 / 255, rtol=1e-4)
    np.testing.assert_allclose(image.from_symmetric(symmetric), unit, atol=1e-6)
    np.testing.assert_array_equal(image.from_symmetric(jnp.array([-1.5, 3.0])), [0, 1])
