"""Particle filters against Kalman's closed form: an unbiased likelihood, and the filtering moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.sampling.particle_filter import particle_filter
from adl.sampling.resampling import SCHEMES

KEY = jax.random.key(0)
A = np.array([[0.9, 0.2], [-0.1, 0.8]])
Q = np.array([[0.3, 0.1], [0.1, 0.2]])
C = np.array([1.0, 0.5])
R = 0.4
P0 = np.diag([2.0, 1.0])
T = 12


def simulate(rng):
    x, y = rng.multivariate_normal([0, 0], P0), []
    for _ in range(T):
        y.append(C @ x + np.sqrt(R) * rng.normal())
        x = A @ x + rng.multivariate_normal([0, 0], Q)
    return np.array(y)


def kalman(y):
    """log p(y_1 ... y_T), and the mean and covariance of x_T given all of them."""
    m, p, total = np.zeros(2), P0, 0.0
    for t, value in enumerate(y):
        if t:
            m, p = A @ m, A @ p @ A.T + Q
        s = C @ p @ C + R
        total += -0.5 * ((value - C @ m) ** 2 / s + np.log(2 * np.pi * s))
        gain = p @ C / s
        m, p = m + gain * (value - C @ m), p - np.outer(gain, C @ p)
    return total, m, p


Y = simulate(np.random.default_rng(0))


def filters(num_particles, num_series, **options):
    """Final states of that many filters of the one series."""
    root_q = jnp.linalg.cholesky(jnp.asarray(Q, jnp.float32))
    alg = particle_filter(
        lambda key: jnp.sqrt(jnp.diag(P0.astype("float32"))) * jax.random.normal(key, (2,)),
        lambda key, x: jnp.asarray(A, jnp.float32) @ x + root_q @ jax.random.normal(key, (2,)),
        log_likelihood=lambda x, y: -0.5 * ((y - jnp.asarray(C, jnp.float32) @ x) ** 2 / R + jnp.log(2 * jnp.pi * R)),
        num_particles=num_particles,
        **options,
    )
    y = jnp.broadcast_to(jnp.asarray(Y, jnp.float32)[:, None], (T, num_series))

    @jax.jit
    def run(key):
        state = alg.init(key, y[0])
        return jax.lax.scan(lambda state, at: (alg.step(at[0], state, at[1])[0], ()), state,
                            (jax.random.split(key, T), y))[0]  # fmt: skip

    return run(KEY)


@pytest.mark.parametrize(("scheme", "share"), [*((scheme, 0.5) for scheme in SCHEMES), ("systematic", 1.0)])
def test_likelihood_is_unbiased(scheme, share):
    """Of 2,000 filters of 50 particles the mean likelihood is within 4 standard errors of Kalman's, by any scheme."""
    truth, *_ = kalman(Y)
    ratio = np.exp(np.asarray(filters(50, 2000, scheme=scheme, share=share).log_likelihood, float) - truth)
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - 1) < 4 * error < 0.2
    assert np.log(ratio).mean() < 0  # Jensen: of the log there is a bias, so that the test above can fail


def test_filtering_moments_are_kalmans():
    _, mean, covariance = kalman(Y)
    state = filters(2000, 64)
    weight = jnp.exp(state.log_weight)
    np.testing.assert_allclose(weight.sum(1), 1, rtol=1e-4)
    means = np.asarray((weight[..., None] * state.x).sum(1))
    assert (abs(means.mean(0) - mean) < 4 * means.std(0) / 8 + 1e-3).all()  # of the ratio a bias of about 1 / N
    centred = np.asarray(state.x) - mean
    second = np.einsum("bn,bni,bnj->bij", np.asarray(weight), centred, centred)
    assert (abs(second.mean(0) - covariance) < 4 * second.std(0) / 8 + 1e-3).all()


def test_without_resampling_particles_degenerate():
    """Their effective share falls, and the likelihood scatters more."""
    kept, lost = filters(50, 500), filters(50, 500, share=0.0)
    assert lost.log_likelihood.std() > 1.5 * kept.log_likelihood.std()


def test_an_impossible_observation_is_said_to_be():
    alg = particle_filter(
        jax.random.normal,
        lambda key, x: x,
        log_likelihood=lambda x, y: jnp.where(y > 0, 0.0, -jnp.inf),
        num_particles=8,
    )
    state, _ = alg.step(KEY, alg.init(KEY, jnp.ones(2)), jnp.array([1.0, -1.0]))
    np.testing.assert_array_equal(state.log_likelihood, [0, -jnp.inf])
    assert jnp.isfinite(state.log_weight).all()
