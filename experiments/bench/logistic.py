"""Logistic regression by Newton's method, beside scikit-learn's."""

import time
from collections.abc import Callable

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression

from adl.core import until_still
from adl.linear import glm
from experiments.bench import Contenders


def contenders(num_rows: int = 100_000, num_columns: int = 100) -> Contenders:
    """To convergence, with a penalty of 1; no constant. Scikit-learn's two solvers that suit so many rows, in both
    precisions; of `newton-cholesky` no more digits are asked than float32 has. Newton's steps square the error: after
    one that moves the weights by less than a hundredth, they are right to a ten-thousandth.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num_rows, num_columns)) @ (np.eye(num_columns) + 0.03 * rng.normal(size=(num_columns,) * 2))
    label = (rng.uniform(size=num_rows) < 1 / (1 + np.exp(-x @ rng.normal(size=num_columns) / 5))).astype(np.int32)
    batch = {"x": jax.device_put(x.astype("f")), "y": jax.device_put(label)}
    solve = jax.jit(until_still(glm.irls(glm.bernoulli, penalty=1.0), tolerance=1e-2))
    key, found = jax.random.key(0), {}

    def theirs(solver: str, dtype: str) -> Callable[[], float]:
        machine = LogisticRegression(C=1.0, fit_intercept=False, solver=solver, tol=1e-4, max_iter=1000)
        rows = np.asarray(x, dtype, order="C")

        def fit() -> float:
            started = time.perf_counter()
            machine.fit(rows, label)
            took = time.perf_counter() - started
            found[f"{solver}, {dtype}"] = machine.coef_[0]
            return 1e3 * took

        return fit

    def ours() -> float:
        started = time.perf_counter()
        weights, _ = jax.block_until_ready(solve(key, batch))
        took = time.perf_counter() - started
        found["adl"] = np.asarray(weights)[:, 0]
        return 1e3 * took

    choices = [(solver, dtype) for solver in ("newton-cholesky", "lbfgs") for dtype in ("float64", "float32")]
    contenders = {f"scikit-learn, {solver}, {dtype}": theirs(solver, dtype) for solver, dtype in choices}
    contenders["adl"] = ours
    for contender in contenders.values():
        contender()
    truth = found["newton-cholesky, float64"]
    losses = {name: _loss(x, label, weights) for name, weights in found.items()}
    apart = np.abs(found["adl"] - truth).max()
    if max(losses.values()) - min(losses.values()) > 1e-5 or apart > 1e-3 * np.abs(truth).max():
        raise SystemExit(f"error: the contenders do not agree: losses {losses}, weights apart by {apart}")
    return contenders


def _loss(x: np.ndarray, label: np.ndarray, weights: np.ndarray) -> float:
    """Penalised, in nats a row."""
    eta = x @ weights.astype(float)
    return float((np.logaddexp(0, eta) - label * eta).mean() + 0.5 * np.square(weights).sum() / len(x))
