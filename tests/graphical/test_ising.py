"""Binary images behind noise: each way of sweeping against enumeration of all images of 3 x 3 pixels, or a cut."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from adl.core import trace
from adl.graphical import ising
from adl.graphical.factor_graph import grid, score
from adl.graphical.ising import Ising

KEY = jax.random.key(0)
MODEL = Ising(jnp.float32(0.4), jnp.float32(0.7), jnp.float32(0.1))
RNG = np.random.default_rng(0)
SEEN = np.where(RNG.random((4, 3, 3)) < 0.5, 1, -1).astype("f")
IMAGES = np.array(list(itertools.product([-1, 1], repeat=9)), "f").reshape(-1, 3, 3)
ENERGIES = np.asarray(jax.vmap(lambda y: jax.vmap(lambda x: ising.energy(MODEL, x, y))(IMAGES))(SEEN), float)


def run(alg, num_steps: int, seen=SEEN, view=lambda state: state):
    batch = {"image": jnp.asarray(seen)}
    return jax.jit(trace(alg, num_steps, view))(KEY, alg.init(KEY, batch), batch)


def test_energy_is_that_of_all_pairs():
    for x, y in zip(IMAGES[::50], np.resize(SEEN, (11, 3, 3)), strict=True):
        want = -0.1 * x.sum() - 0.7 * (x * y).sum()
        for (i, j), (k, m) in itertools.combinations(np.ndindex(3, 3), 2):
            want -= 0.4 * x[i, j] * x[k, m] * (abs(i - k) + abs(j - m) == 1)
        np.testing.assert_allclose(ising.energy(MODEL, x, y), want, rtol=1e-5)
        got = score(grid(3, 3), ising.potentials(MODEL, y), (jnp.asarray(x).ravel() > 0).astype(int))
        np.testing.assert_allclose(got, -want, rtol=1e-5)


def test_field_is_half_the_log_odds():
    x = jnp.asarray(IMAGES[100])
    flip = jax.vmap(lambda i: ising.energy(MODEL, x.ravel().at[i].multiply(-1).reshape(3, 3), SEEN[0]))(jnp.arange(9))
    odds = x.ravel() * (flip - ising.energy(MODEL, x, SEEN[0]))
    np.testing.assert_allclose(2 * ising.field(MODEL, x, SEEN[0]).ravel(), odds, atol=1e-5)


def test_icm_ends_where_no_pixel_alone_would_change():
    x, path = run(ising.icm(MODEL), 10)
    energies = jax.vmap(jax.vmap(lambda x, y: ising.energy(MODEL, x, y)), (0, None))(path, SEEN)
    assert np.diff(energies, axis=0).max() < 1e-5
    f = jax.vmap(lambda x, y: ising.field(MODEL, x, y))(x, SEEN)
    assert (x * f >= 0).all()


def test_mean_field_bounds_log_z():
    m, path = run(ising.mean_field(MODEL), 50)
    free = jax.vmap(
        jax.vmap(lambda m, y: ising.energy(MODEL, m, y) + (jax.scipy.special.xlogy(1 + m, (1 + m) / 2)
                 + jax.scipy.special.xlogy(1 - m, (1 - m) / 2)).sum() / 2), (0, None)
    )(path, SEEN)  # fmt: skip
    assert np.diff(free, axis=0).max() < 1e-4
    assert (free[-1] >= -logsumexp(-ENERGIES, axis=1) - 1e-4).all()
    np.testing.assert_allclose(m, jnp.tanh(jax.vmap(lambda m, y: ising.field(MODEL, m, y))(m, SEEN)), atol=1e-4)


def test_gibbs_means_are_those_of_all_images():
    """Within 5 standard errors, of 128 independent chains."""
    p = np.exp(-ENERGIES - logsumexp(-ENERGIES, axis=1, keepdims=True))
    want = np.einsum("yx,xij->yij", p, IMAGES)
    draws, _ = run(ising.gibbs(MODEL, num_warmup=10), 110, np.repeat(SEEN, 128, 0), lambda draws: ())
    means = np.asarray(draws.total / 100).reshape(4, 128, 3, 3)
    error = means.std(1, ddof=1) / np.sqrt(128)
    assert (np.abs(means.mean(1) - want) < 5 * error).all()
    assert draws.count == 110


def test_weak_neighbours_leave_what_is_seen():
    np.testing.assert_array_equal(run(ising.icm(Ising(0.1, 0.7)), 3)[0], SEEN)
