"""Linear dynamical systems: filter and smoother against the joint Gaussian of all times, EM against its laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import trace
from adl.graphical import kalman
from adl.graphical.kalman import LDS
from adl.graphical.lds_em import lds_em
from adl.prob.gaussian import LinearGaussian, MultivariateNormal

KEY = jax.random.key(0)
T, D, E = 5, 2, 3
RNG = np.random.default_rng(0)


def covariance(dim: int) -> jnp.ndarray:
    root = RNG.normal(size=(dim, dim))
    return jnp.asarray(root @ root.T / dim + 0.2 * np.eye(dim), jnp.float32)


def normal(*shape: int) -> jnp.ndarray:
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


SYSTEM = LDS(
    MultivariateNormal(normal(D), covariance(D)),
    LinearGaussian(jnp.array([[0.9, 0.2], [-0.2, 0.8]]), normal(D), covariance(D)),
    LinearGaussian(normal(E, D), normal(E), covariance(E)),
)
MASK = np.array([1, 1, 0, 1, 1], "f")
X = np.where(MASK[:, None] > 0, RNG.normal(size=(T, E)), np.nan).astype("f")


def conditioned(num_seen: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean `[T, D]` and covariance `[T D, T D]` of all states given the first observations, and their log-density."""
    system = jax.tree.map(lambda leaf: np.asarray(leaf, float), SYSTEM)
    means, steps = [system.initial.loc], [system.initial.covariance]
    for _ in range(T - 1):
        means.append(system.dynamics.matrix @ means[-1] + system.dynamics.offset)
        steps.append(system.dynamics.matrix @ steps[-1] @ system.dynamics.matrix.T + system.dynamics.covariance)
    states = np.zeros((T * D, T * D))
    for t in range(T):
        block = steps[t]
        for later in range(t, T):
            states[later * D : (later + 1) * D, t * D : (t + 1) * D] = block
            states[t * D : (t + 1) * D, later * D : (later + 1) * D] = block.T
            block = system.dynamics.matrix @ block
    seen = [t for t in range(num_seen) if MASK[t]]
    pick = np.kron(np.eye(T)[seen], system.emission.matrix)
    noise = np.kron(np.eye(len(seen)), system.emission.covariance)
    loc = np.concatenate(means)
    expected = pick @ loc + np.tile(system.emission.offset, len(seen))
    spread = pick @ states @ pick.T + noise
    x = X[seen].astype(float).ravel()
    gain = states @ pick.T @ np.linalg.inv(spread)
    density = stats.multivariate_normal(expected, spread).logpdf(x)
    return (loc + gain @ (x - expected)).reshape(T, D), states - gain @ pick @ states, density


def test_filter_and_smoother_are_the_joint_gaussians():
    seen = jax.jit(kalman.smooth)(SYSTEM, X, MASK)
    mean, spread, density = conditioned(T)
    np.testing.assert_allclose(seen.smoothed.loc, mean, atol=1e-4)
    blocks = spread.reshape(T, D, T, D)
    np.testing.assert_allclose(seen.smoothed.covariance, [blocks[t, :, t] for t in range(T)], atol=1e-4)
    np.testing.assert_allclose(seen.across, [blocks[t + 1, :, t] for t in range(T - 1)], atol=1e-4)
    np.testing.assert_allclose(seen.filtered.log_evidence.sum(), density, rtol=1e-5)
    for t in range(T):
        mean, spread, _ = conditioned(t + 1)
        np.testing.assert_allclose(seen.filtered.filtered.loc[t], mean[t], atol=1e-4)
        np.testing.assert_allclose(seen.filtered.filtered.covariance[t], spread.reshape(T, D, T, D)[t, :, t], atol=1e-4)


def test_joint_density_is_prior_times_likelihood():
    """`joint` of states and observations, where the evidence is the filter's."""
    full = kalman.joint(SYSTEM, 3)
    x = jnp.nan_to_num(X[:3])
    evidence = full.marginal(range(3 * D, 3 * (D + E))).log_prob(x.ravel())
    np.testing.assert_allclose(kalman.forward(SYSTEM, x).log_evidence.sum(), evidence, rtol=1e-4)


def test_gradient_is_finite_where_nothing_is_seen():
    def evidence(system, x):
        return kalman.forward(system, x, MASK).log_evidence.sum()

    of_system, of_x = jax.jit(jax.grad(evidence, (0, 1)))(SYSTEM, X)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((of_system, of_x)))
    assert (of_x[2] == 0).all()
    eps, at = 1e-2, SYSTEM.dynamics.offset
    moved = [
        evidence(SYSTEM._replace(dynamics=SYSTEM.dynamics._replace(offset=at.at[0].add(s * eps))), X) for s in (1, -1)
    ]
    np.testing.assert_allclose(of_system.dynamics.offset[0], (moved[0] - moved[1]) / (2 * eps), rtol=1e-2)


@pytest.mark.parametrize(
    "learn",
    [
        ("dynamics_noise", "emission_noise"),
        ("dynamics_scale", "emission_scale"),
        ("initial", "dynamics", "dynamics_noise", "emission_noise"),
    ],
)
def test_likelihood_never_falls(learn):
    keys = jax.random.split(KEY, 8)
    _, x = jax.vmap(lambda key: kalman.sample(key, SYSTEM, 20))(keys)
    mask = (RNG.random((8, 20)) < 0.8).astype("f")
    wrong = SYSTEM._replace(
        dynamics=SYSTEM.dynamics._replace(covariance=2 * jnp.eye(D)),
        emission=SYSTEM.emission._replace(covariance=jnp.eye(E)),
    )
    alg = lds_em(lambda key, batch: wrong, learn=learn)

    def likelihood(system):
        return jax.vmap(kalman.forward, (None, 0, 0))(system, x, mask).log_evidence.sum()

    system, values = jax.jit(trace(alg, 20, likelihood))(KEY, wrong, {"x": x, "mask": mask})
    assert np.diff(values).min() > -1e-3 and values[-1] > values[0] + 1
    stays = "dynamics" not in learn
    assert stays == np.array_equal(system.dynamics.matrix, SYSTEM.dynamics.matrix)
    np.testing.assert_array_equal(system.emission.matrix, SYSTEM.emission.matrix)


def test_noise_is_learned_far_from_the_origin():
    """Random walks a thousand metres away, whose steps are of centimetres."""
    step, places = 0.05, jnp.array([0.0, 1000.0])

    def walk(place):
        system = LDS(
            MultivariateNormal(place[None], jnp.eye(1)),
            LinearGaussian(jnp.eye(1), jnp.zeros(1), 2 * step**2 * jnp.eye(1)),
            LinearGaussian(jnp.eye(1), jnp.zeros(1), step**2 * jnp.eye(1)),
        )
        alg = lds_em(lambda key, batch: system, learn=("dynamics_noise",))
        return alg.step(KEY, system, {"x": place + steps})[0].dynamics.covariance[0, 0]

    rng = np.random.default_rng(0)
    steps = jnp.asarray(np.cumsum(step * rng.normal(size=(4, 50, 1)), 1), jnp.float32)
    near, far = jax.jit(jax.vmap(walk))(places)
    np.testing.assert_allclose(far, near, rtol=0.01)  # x itself is rounded to 6e-5 there


def test_states_that_are_seen_exactly_are_regressed():
    """Without noise of emission, EM is least squares of each state on the last, in closed form."""
    sure = LDS(
        MultivariateNormal(jnp.zeros(D), jnp.eye(D)),
        LinearGaussian(0.5 * jnp.eye(D), jnp.zeros(D), jnp.eye(D)),
        LinearGaussian(jnp.eye(D), jnp.zeros(D), 1e-5 * jnp.eye(D)),
    )
    x = np.asarray(jax.vmap(lambda key: kalman.sample(key, SYSTEM, 30)[0])(jax.random.split(KEY, 4)))
    alg = lds_em(lambda key, batch: sure, learn=("initial", "dynamics", "dynamics_noise"))
    system, _ = jax.jit(alg.step)(KEY, sure, {"x": x})
    before = np.concatenate([x[:, :-1].reshape(-1, D), np.ones((4 * 29, 1))], 1).astype(float)
    after = x[:, 1:].reshape(-1, D).astype(float)
    weights, *_ = np.linalg.lstsq(before, after, rcond=None)
    np.testing.assert_allclose(system.dynamics.matrix, weights[:D].T, atol=2e-3)
    np.testing.assert_allclose(system.dynamics.offset, weights[D], atol=2e-3)
    residual = after - before @ weights
    np.testing.assert_allclose(system.dynamics.covariance, residual.T @ residual / len(after), atol=2e-3)
    np.testing.assert_allclose(system.initial.loc, x[:, 0].mean(0), atol=2e-3)
    np.testing.assert_allclose(system.initial.covariance, np.cov(x[:, 0].T, bias=True), atol=2e-3)
