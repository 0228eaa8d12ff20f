"""What the claims of `experiments.linear.gp` quote of scikit-learn is what it says."""

import warnings

import numpy as np
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from experiments.linear.gp import CLAIMS, Config, standardised


def test_quoted_references_are_scikit_learns():
    cfg = Config()
    train, test = standardised(cfg)
    kernel = kernels.ConstantKernel(1.0) * kernels.RBF(np.full(train.x.shape[1], cfg.length))
    machine = GaussianProcessRegressor(kernel + kernels.WhiteKernel(cfg.noise_std**2), alpha=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths without end reach their bounds
        machine.fit(train.x.astype(float), train.y.astype(float))
    mean, scale = machine.predict(test.x.astype(float), return_std=True)
    want = {
        "fit/loss": -machine.log_marginal_likelihood_value_ / len(train.y),
        "test/rmse": test.unit * np.sqrt(np.mean((mean - test.y) ** 2)),
        "test/loss": np.log(test.unit) - stats.norm.logpdf(test.y, mean, scale).mean(),
    }
    for claim in CLAIMS:
        if claim.metric in want:
            digits = claim.reference.rpartition(" ")[2]
            places = len(digits.partition(".")[2])
            np.testing.assert_allclose(want[claim.metric], float(digits), atol=0.6 * 10**-places)
