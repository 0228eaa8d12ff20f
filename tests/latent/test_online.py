"""Hebbian learning ends at the eigenvectors, in their order, and follows its rule on the way."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import repeated, trace
from adl.latent import online
from adl.latent.online import hebbian

RNG = np.random.default_rng(2)
D, Z = 6, 3
SCALES = np.array([2.0, 1.5, 1.0, 0.4, 0.3, 0.2])
TURN = np.linalg.qr(RNG.normal(size=(D, D)))[0]


def test_one_step_of_one_point_is_sangers_rule():
    x, rate = RNG.normal(size=D).astype("f"), 0.1
    alg = hebbian(Z, lambda step: jnp.float32(rate))
    start = alg.init(jax.random.key(0), {"x": np.zeros((1, D), "f")})
    after, _ = alg.step(jax.random.key(0), start, {"x": x[None]})
    w = np.asarray(start.basis, float).T
    y = w @ x
    want = w + rate * (np.outer(y, x) - np.tril(np.outer(y, y)) @ w)
    np.testing.assert_allclose(after.basis.T, want, atol=1e-5)


def test_it_converges_to_the_principal_components():
    """With a rate that falls as 1 / t, on batches that are never seen again."""
    alg = hebbian(Z, lambda step: 0.2 / (1 + step / 50))
    noise = RNG.normal(size=(3000, 16, D)).astype("f")
    batches = {"x": (noise * SCALES.astype("f")) @ TURN.astype("f") + 5}
    state = alg.init(jax.random.key(0), jax.tree.map(lambda a: a[0], batches))
    state, _ = jax.jit(repeated(alg, 3000).step)(jax.random.key(0), state, batches)
    cosines = np.abs(np.diag(np.asarray(state.basis).T @ TURN[:Z].T))
    # The rate's noise is about sqrt(rate x variance) / 2 of an angle: 0.03 at the end, whose cosine is 1 - 5e-4.
    np.testing.assert_allclose(cosines, 1, atol=5e-3)
    np.testing.assert_allclose(state.basis.T @ state.basis, np.eye(Z), atol=0.03)
    plane = online.orthonormal(state).basis
    np.testing.assert_allclose(plane.T @ plane, np.eye(Z), atol=1e-5)
    np.testing.assert_allclose(plane @ (plane.T @ state.basis), state.basis, atol=1e-5)
    np.testing.assert_allclose(state.mean, batches["x"].reshape(-1, D).mean(0), atol=1e-3)


def test_one_component_is_ojas_rule_and_stays_a_unit():
    alg = hebbian(1, lambda step: jnp.float32(0.02))
    x = {"x": ((RNG.normal(size=(200, D)) * SCALES) @ TURN).astype("f")}
    state = alg.init(jax.random.key(1), x)
    _, states = jax.jit(trace(alg, 400, lambda s: s.basis))(jax.random.key(0), state, x)
    np.testing.assert_allclose(np.linalg.norm(states[-1]), 1, atol=1e-3)
    leading = np.linalg.eigh(np.cov(x["x"].T))[1][:, -1]
    np.testing.assert_allclose(abs(float(leading @ states[-1][:, 0])), 1, atol=1e-3)
