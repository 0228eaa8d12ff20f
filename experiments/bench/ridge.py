"""Ridge regression from its sums, beside scikit-learn's."""

import time
from collections.abc import Callable

import jax
import numpy as np
from sklearn.linear_model import Ridge

from adl.linear.regression import ridge, ridge_weights
from experiments.bench import Contenders


def contenders(num_rows: int = 100_000, num_columns: int = 100) -> Contenders:
    """All rows in one step, and the weights of a penalty of 1; no constant. Scikit-learn may overwrite its rows, and
    has its fastest solver, in both precisions.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num_rows, num_columns)) @ (np.eye(num_columns) + 0.03 * rng.normal(size=(num_columns,) * 2))
    y = x @ rng.normal(size=num_columns) + rng.normal(size=num_rows)
    batch = {"x": jax.device_put(x.astype("f")), "y": jax.device_put(y.astype("f"))}
    algorithm, key, found = ridge(1.0), jax.random.key(0), {}

    @jax.jit
    def solve(batch):
        sums, metrics = algorithm.step(key, algorithm.init(key, batch), batch)
        return ridge_weights(sums, 1.0), metrics

    def theirs(dtype: str) -> Callable[[], float]:
        machine = Ridge(alpha=1.0, fit_intercept=False, solver="cholesky", copy_X=False)
        rows, outcomes = x.astype(dtype), y.astype(dtype)

        def fit() -> float:
            started = time.perf_counter()
            machine.fit(rows, outcomes)
            took = time.perf_counter() - started
            found[dtype] = machine.coef_
            return 1e3 * took

        return fit

    def ours() -> float:
        started = time.perf_counter()
        weights, _ = jax.block_until_ready(solve(batch))
        took = time.perf_counter() - started
        found["adl"] = np.asarray(weights)
        return 1e3 * took

    contenders = {"scikit-learn, float64": theirs("float64"), "scikit-learn, float32": theirs("float32"), "adl": ours}
    for contender in contenders.values():
        contender()
    apart = np.abs(found["adl"] - found["float64"]).max()
    if apart > 1e-3 * np.abs(found["float64"]).max():
        raise SystemExit(f"error: the contenders do not agree: weights apart by {apart}")
    return contenders
