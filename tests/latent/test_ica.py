"""FastICA, step for step that of scikit-learn; and sources that are found again."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import decomposition
from sklearn.exceptions import ConvergenceWarning

from adl.core import jitted
from adl.latent import ica
from adl.latent.ica import fast_ica

KEY = jax.random.key(0)
RNG = np.random.default_rng(4)
N, Z, D = 2000, 3, 5
S = np.stack([RNG.laplace(size=N), RNG.uniform(-1, 1, N), RNG.standard_t(5, size=N)], 1)
X = (S @ RNG.normal(size=(Z, D)) + 3).astype("f")
START = RNG.normal(size=(Z, Z))


def ours(num_steps: int, start: np.ndarray) -> ica.Unmixing:
    alg = jitted(fast_ica(Z, start=lambda key, batch: jnp.asarray(start, "f")))
    state = alg.init(KEY, {"x": X})
    for _ in range(num_steps):
        state, _ = alg.step(KEY, state, {"x": X})
    return state


def theirs(num_steps: int) -> decomposition.FastICA:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return decomposition.FastICA(
            Z, w_init=START, max_iter=num_steps, tol=0, whiten="unit-variance", whiten_solver="eigh"
        ).fit(X.astype(float))


@pytest.mark.parametrize("num_steps", [1, 3, 30])
def test_steps_are_scikit_learns(num_steps):
    fitted = theirs(num_steps)
    # Their principal directions may have other signs than ours, and the start turns with them.
    sign = np.sign((np.asarray(ours(0, START).whiten) * fitted.whitening_.T).sum(0))
    state = ours(num_steps, START * sign)
    want = fitted.transform(X.astype(float))
    np.testing.assert_allclose(ica.sources(state, X), want / want.std(0), atol=1e-3 if num_steps > 1 else 1e-4)
    np.testing.assert_allclose(ica.mixing(state), fitted.mixing_ * want.std(0), atol=1e-3)


def test_sources_are_found_again():
    state = ours(50, START)
    found = np.abs(np.corrcoef(np.asarray(ica.sources(state, X)).T, S.T)[:Z, Z:])
    assert found.max(0).min() > 0.99 and sorted(found.argmax(0)) == [0, 1, 2]
    np.testing.assert_allclose(state.rotation @ state.rotation.T, np.eye(Z), atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(state.mean) + np.asarray(ica.sources(state, X)) @ np.asarray(ica.mixing(state)).T, X, atol=1e-3
    )
