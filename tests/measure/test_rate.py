"""A uniform model takes log2 L bits a dimension, and the number of levels stands beside every number."""

import jax.numpy as jnp
import numpy as np

from adl.measure.rate import bits


def test_a_uniform_model_takes_as_many_bits_as_levels_have():
    for levels, dims in ((2, 784), (17, 64), (256, 3072)):
        log_prob = jnp.full(5, -dims * np.log(levels))
        found = {name: float(mean.value) for name, mean in bits(log_prob, num_dims=dims, levels=levels).items()}
        np.testing.assert_allclose([found["bits"], found["bits_uniform"]], np.log2(levels), rtol=1e-6)
        assert found["levels"] == levels


def test_padding_does_not_count():
    found = bits(jnp.array([-8.0, -16.0, jnp.nan]), num_dims=8, levels=2, mask=jnp.array([1, 1, 0]))
    np.testing.assert_allclose(found["bits"].value, 1.5 / np.log(2), rtol=1e-6)
