"""Principal components of 100,000 points, exactly and by few passes, beside scikit-learn's."""

import time
from collections.abc import Callable

import jax
import numpy as np
from sklearn.decomposition import PCA

from adl.core import jitted
from adl.latent import principal
from adl.latent.principal import pca
from adl.latent.randomised import leading, randomised_pca
from experiments.bench import Contenders

NUM_COMPONENTS = 16


def contenders(num_points: int = 100_000, dim: int = 256) -> Contenders:
    """The first 16 components of points in 256 dimensions, in float32: scikit-learn's, and ours; times are of a fit.

    Exactly, both by the covariance; randomised, both with 10 more directions and as many passes, theirs with 3 power
    iterations. All must explain the same variance along each, to 1e-4 of the largest. Two thirds of an exact fit are
    the product X^T X: BLAS knows that it is symmetric and computes half, XLA on CPU computes the whole. The rest is the
    centred copy of the points.
    """
    rng = np.random.default_rng(0)
    scales = 0.9 ** np.arange(dim)
    x = (rng.normal(size=(num_points, dim)) * scales @ np.linalg.qr(rng.normal(size=(dim, dim)))[0] + 1).astype("f")
    batch, key = {"x": jax.device_put(x)}, jax.random.key(0)
    exact, few = jitted(pca(NUM_COMPONENTS)), jitted(randomised_pca(NUM_COMPONENTS))
    read = jax.jit(lambda state: principal.components(state, NUM_COMPONENTS))
    found: dict[str, np.ndarray] = {}

    def timed(name: str, fit: Callable[[], np.ndarray]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            found[name] = np.asarray(fit())
            return 1e3 * (time.perf_counter() - started)

        return run

    def theirs(solver: str) -> Callable[[], np.ndarray]:
        options = {"iterated_power": 3, "n_oversamples": 10, "random_state": 0} if solver == "randomized" else {}
        return lambda: PCA(NUM_COMPONENTS, svd_solver=solver, **options).fit(x).explained_variance_

    def ours() -> np.ndarray:
        state, _ = exact.step(key, exact.init(key, batch), batch)
        return read(state).variance

    def ours_randomised() -> np.ndarray:
        state = few.init(key, batch)
        for _ in range(4):
            state, _ = few.step(key, state, batch)
        return leading(state, NUM_COMPONENTS).variance

    fits = {
        "scikit-learn, exact": theirs("covariance_eigh"),
        "adl, exact": ours,
        "scikit-learn, randomised": theirs("randomized"),
        "adl, randomised": ours_randomised,
    }
    contenders = {name: timed(name, fit) for name, fit in fits.items()}
    for contender in contenders.values():
        contender()
    spread = np.ptp(list(found.values()), axis=0).max()
    if spread > 1e-4 * found["adl, exact"][0]:
        raise SystemExit(f"error: the contenders do not agree: variances differ by {spread}")
    return contenders
