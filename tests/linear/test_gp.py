"""What the claims of the experiments with Gaussian processes quote of scikit-learn is what it says."""

import numpy as np
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels

from experiments.linear import gp, gp_evidence, gp_moons


def quoted(claim) -> tuple[float, float]:
    """The last number of a reference, and half a unit of its last digit."""
    digits = claim.reference.rpartition(" ")[2]
    return float(digits), 0.6 * 10 ** -len(digits.partition(".")[2])


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # lengths without end reach their bounds
def test_of_the_table():
    cfg = gp.Config()
    train, test = gp.load(cfg)
    kernel = kernels.ConstantKernel(1.0) * kernels.RBF(np.full(train.x.shape[1], cfg.length))
    machine = GaussianProcessRegressor(kernel + kernels.WhiteKernel(cfg.noise_std**2), alpha=0.0)
    machine.fit(train.x.astype(float), train.y.astype(float))
    mean, scale = machine.predict(test.x.astype(float), return_std=True)
    want = {
        "fit/loss": -machine.log_marginal_likelihood_value_ / len(train.y),
        "test/rmse": test.unit * np.sqrt(np.mean((mean - test.y) ** 2)),
        "test/loss": np.log(test.unit) - stats.norm.logpdf(test.y, mean, scale).mean(),
    }
    for claim in gp.CLAIMS:
        value, error = quoted(claim)
        np.testing.assert_allclose(want[claim.metric], value, atol=error)


@pytest.mark.parametrize("claim", gp_evidence.CLAIMS, ids=lambda claim: claim.metric)
def test_of_both_maxima(claim):
    length, noise = gp_evidence.STARTS[claim.metric.partition("/")[2]]
    machine = GaussianProcessRegressor(kernels.RBF(length) + kernels.WhiteKernel(noise**2), alpha=0.0)
    machine.fit(gp_evidence.X.astype(float)[:, None], gp_evidence.Y.astype(float))
    value, error = quoted(claim)
    np.testing.assert_allclose(-machine.log_marginal_likelihood_value_, value, atol=error)


def test_of_the_moons():
    cfg = gp_moons.Config()
    points = {name: np.asarray(value, float) for name, value in gp_moons.load(cfg).items()}
    machines = [
        GaussianProcessClassifier(cfg.variance * kernels.RBF(length), optimizer=None).fit(points["x"], points["label"])
        for length in gp_moons.LENGTHS.values()
    ]
    evidence = [machine.log_marginal_likelihood_value_ for machine in machines]
    best, excess = gp_moons.CLAIMS
    value, error = quoted(best)
    np.testing.assert_allclose(-max(evidence), value, atol=error)
    p = [machine.predict_proba(points["new"])[:, 1] for machine in machines]
    losses = [-np.log(np.where(points["wanted"] == 1, ps, 1 - ps)).mean() for ps in p]
    assert np.argmax(evidence) == np.argmin(losses) == 1
    short, _, long = np.array(losses) / min(losses)
    assert excess.reference.endswith(f"of length 0.15 {short:.2f}, of 4 {long:.2f}")
