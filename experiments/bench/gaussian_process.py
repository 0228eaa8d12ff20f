"""Gaussian process regression of 2,000 rows, beside scikit-learn's: the evidence's gradient, and predictions."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from adl.linear import gaussian_process
from adl.linear.covariance import scaled, squared_exponential
from experiments.bench import Contenders


def contenders(num_rows: int = 2000, num_columns: int = 10) -> Contenders:
    """One step of the choice of 12 hyper-parameters (a length for each column, two variances): log evidence and its
    gradient; and a fit with mean and deviation at 1,000 new rows. Each of ours follows its peer, whose speed is 1 where
    it comes first: of the second pair, divide.
    """
    rng = np.random.default_rng(0)
    x, new = (rng.normal(size=(n, num_columns)) for n in (num_rows, 1000))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] + 0.3 * rng.normal(size=num_rows)
    length, variance, noise = np.full(num_columns, 3.0), 1.5, 0.1
    kernel = kernels.ConstantKernel(variance) * kernels.RBF(length) + kernels.WhiteKernel(noise)
    machine = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None, copy_X_train=False).fit(x, y)
    theta = machine.kernel_.theta
    rows, outcomes, places = (jax.device_put(values.astype("f")) for values in (x, y, new))
    logs, found = jnp.asarray(theta, jnp.float32), {}

    def model(logs):
        return scaled(squared_exponential(jnp.exp(logs[1:-1])), jnp.exp(logs[0])), jnp.exp(logs[-1])

    @jax.jit
    @jax.value_and_grad
    def gradient(logs, x, y):
        kernel, noise = model(logs)
        return gaussian_process.log_evidence(kernel, x, y, noise_variance=noise)

    @jax.jit
    def foretold(logs, x, y, new):
        kernel, noise = model(logs)
        posterior = gaussian_process.condition(kernel, x, y, noise_variance=noise)
        seen = gaussian_process.predict(kernel, posterior, new)
        return seen.mean, jnp.sqrt(seen.variance + noise), posterior.log_evidence

    def timed(name: str, work: Callable) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            found[name] = jax.block_until_ready(work())
            return 1e3 * (time.perf_counter() - started)

        return run

    contenders = {
        name: timed(name, work)
        for name, work in {
            "scikit-learn, evidence's gradient": lambda: machine.log_marginal_likelihood(theta, eval_gradient=True),
            "adl, evidence's gradient": lambda: gradient(logs, rows, outcomes),
            "scikit-learn, fit and predict": lambda: machine.fit(x, y).predict(new, return_std=True),
            "adl, fit and predict": lambda: foretold(logs, rows, outcomes, places),
        }.items()
    }
    for contender in contenders.values():
        contender()
    (want, want_slope), (got, slope), (want_mean, want_std), (mean, std, _) = found.values()
    apart = {
        "evidence": abs(got / want - 1),
        "gradient": np.abs(slope - want_slope).max() / np.abs(want_slope).max(),
        "mean": np.abs(mean - want_mean).max(),
        "deviation": np.abs(std - want_std).max(),
    }
    if max(map(float, apart.values())) > 1e-3:
        raise SystemExit(f"error: the contenders do not agree: {apart}")
    return contenders
