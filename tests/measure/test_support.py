"""Precision and recall are what scikit-learn's neighbours say, and see both of the ways in which samples fail."""

import jax.numpy as jnp
import numpy as np
from sklearn.neighbors import NearestNeighbors

from adl.measure.support import shared_support

RNG = np.random.default_rng(0)


def within(x, y, k):
    """Share of x in the balls around y."""
    reach = NearestNeighbors().fit(y).kneighbors(n_neighbors=k)[0][:, -1]
    return (np.linalg.norm(x[:, None] - y[None], axis=-1) <= reach[None]).any(1).mean()


def test_is_scikit_learn_s_neighbours():
    x, y = RNG.normal(size=(60, 4)), 1.5 * RNG.normal(size=(80, 4)) + 0.7
    for k in (1, 3, 10):
        found = shared_support(jnp.asarray(x, "f"), jnp.asarray(y, "f"), k=k)
        np.testing.assert_allclose(found, (within(x, y, k), within(y, x, k)), rtol=1e-6)
        assert 0 < found.recall < 1 and 0 < found.precision


def test_of_two_modes_one_is_precise_and_noise_recalls():
    data = RNG.normal(size=(200, 2)) + np.repeat([[0.0, 0], [20, 0]], 100, 0)
    one, wide = RNG.normal(size=(200, 2)), RNG.uniform(-40, 60, size=(200, 2))
    found = shared_support(jnp.asarray(one, "f"), jnp.asarray(data, "f"))
    assert found.precision > 0.9 and found.recall < 0.55
    found = shared_support(jnp.asarray(wide, "f"), jnp.asarray(data, "f"))
    assert found.precision < 0.2 and found.recall > 0.9


def test_copies_and_nan():
    x = jnp.asarray(RNG.normal(size=(20, 3)), "f")
    assert tuple(shared_support(x, x)) == (1, 1)
    assert np.isnan(shared_support(x.at[3, 1].set(jnp.nan), x)).all()
