"""Means merge exactly, whatever the cut."""

import jax.numpy as jnp
import numpy as np

from adl.core import Mean


def test_any_cut_gives_the_weighted_mean_of_numpy():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=50).astype("f"), rng.uniform(size=50).astype("f")
    for cut in (1, 17, 49):
        merged = Mean.of(values[:cut], weights[:cut]) + Mean.of(values[cut:], weights[cut:])
        np.testing.assert_allclose(merged.value, np.average(values, weights=weights), rtol=1e-5)


def test_neutral_element_and_empty_mean():
    mean = Mean.of(jnp.array([1.0, 3.0]))
    assert Mean(0.0, 0.0) + mean == mean
    assert np.isnan(Mean.of(jnp.array([5.0]), jnp.array([0.0])).value)


def test_padding_may_hold_nan():
    assert Mean.of(jnp.array([2.0, jnp.nan]), jnp.array([1.0, 0.0])).value == 2.0


def test_weights_broadcast():
    values = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(Mean.of(values, jnp.array([[1.0], [0.0]])).value, 1.0)


def test_booleans_integers_and_short_floats_are_summed_as_they_should_be():
    many = np.arange(3000) % 3 == 0
    for values in (many, many.astype("i1"), jnp.asarray(many, jnp.bfloat16), many.astype("f2")):
        mean = Mean.of(values)
        assert mean.total == 1000 and mean.count == 3000 and Mean.of(values, many).value == 1
    assert Mean.of(jnp.full(4, 2**30)).value == 2**30  # its sum is no int32
