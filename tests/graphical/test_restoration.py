"""The cut is the least energy by enumeration, and no way of sweeping falls below it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.graphical import ising
from adl.graphical.ising import Ising
from adl.graphical.minimum_cut import minimum_cut
from adl.graphical.restoration import energies, restored

RNG = np.random.default_rng(0)
SEEN = np.where(RNG.random((6, 3, 3)) < 0.5, 1, -1).astype("f")
IMAGES = np.array(list(itertools.product([-1, 1], repeat=9)), "f").reshape(-1, 3, 3)


@pytest.mark.parametrize(("beta", "eta"), [(0.4, 0.7), (1.0, 1.1), (0.0, 0.3)])
def test_the_cut_is_the_least_of_all_images(beta, eta):
    model = Ising(jnp.float32(beta), jnp.float32(eta))
    of_all = jax.vmap(lambda y: jax.vmap(lambda x: ising.energy(model, x, y))(IMAGES))(SEEN)
    found = minimum_cut(SEEN, beta=beta, eta=eta)
    np.testing.assert_allclose(energies(model, found, SEEN), of_all.min(1), atol=1e-3)


def test_no_way_is_below_the_least():
    noisy = np.where(RNG.random((4, 8, 8)) < 0.5, 1, -1).astype("f")
    model = Ising(jnp.float32(0.6), jnp.float32(0.8))
    found, paths = jax.jit(lambda key: restored(key, model, jnp.asarray(noisy), num_sweeps=9))(jax.random.key(0))
    least = energies(model, minimum_cut(noisy, beta=0.6, eta=0.8), noisy)
    assert set(found) == {"icm", "mean_field", "gibbs", "max_product", "sum_product"}
    for name, image in found.items():
        assert (np.abs(image) == 1).all() and (energies(model, image, noisy) >= least - 1e-3).all(), name
    assert all(path.shape == (9,) and path[-1] >= least.mean() - 1e-3 for path in paths.values())
