"""EM for Gaussians with full covariances, beside scikit-learn's."""

import time
import warnings
from collections.abc import Callable

import jax
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from adl.core import jitted
from adl.latent.mixture import gaussian_mixture, log_prob
from experiments.bench import Contenders


def contenders(num_points: int = 100_000, num_steps: int = 10) -> Contenders:
    """EM for 32 Gaussians with full covariances in 16 dimensions, from one start: scikit-learn's, and ours.

    Both end with a pass for the likelihood, as scikit-learn does; times are of a step, with the share of that pass.
    """
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(32, 16))
    x = (centres[rng.integers(32, size=num_points)] + rng.normal(size=(num_points, 16))).astype(np.float32)
    algorithm, key = jitted(gaussian_mixture(32)), jax.random.key(0)
    score = jax.jit(lambda state: log_prob(state, batch["x"]).mean())
    batch = {"x": jax.device_put(x)}
    start = jax.tree.map(np.array, algorithm.init(key, batch))
    found: dict[str, float] = {}

    def theirs(dtype: str) -> Callable[[], float]:
        precisions = np.linalg.inv(start.covariances.astype(float))
        fitted = GaussianMixture(
            32,
            max_iter=num_steps,
            tol=0,
            weights_init=(start.weights.astype(float) / start.weights.sum(dtype=float)).astype(dtype),
            means_init=start.means.astype(dtype),
            precisions_init=((precisions + precisions.swapaxes(1, 2)) / 2).astype(dtype),
        )
        points = x.astype(dtype)

        def fit() -> float:
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted.fit(points)
            took = time.perf_counter() - started
            found[dtype] = fitted.score(points)
            return 1e3 * took / num_steps

        return fit

    def ours() -> float:
        state = jax.device_put(start)
        started = time.perf_counter()
        for _ in range(num_steps):
            state, _ = algorithm.step(key, state, batch)
        found["adl"] = float(score(state))
        return 1e3 * (time.perf_counter() - started) / num_steps

    contenders = {"scikit-learn, float64": theirs("float64"), "scikit-learn, float32": theirs("float32"), "adl": ours}
    for contender in contenders.values():
        contender()
    if max(found.values()) - min(found.values()) > 1e-4:
        raise SystemExit(f"error: the contenders do not agree: log-likelihoods {found}")
    return contenders
