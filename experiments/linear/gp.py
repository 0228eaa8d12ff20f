"""A Gaussian process of a table: which measurements matter, by the evidence, and what is expected of new patients.

Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, chapters 2 and 5. The run chooses the
hyper-parameters of a process by their evidence: one length for each of ten measurements of 352 patients, a variance,
and that of the noise; the others are the test.

    python -m experiments.linear.gp
    >>> outcome = run.load("runs/linear/gp").predict(rows)

Expected: root mean square error 52.83 and 5.389 nats a patient, both as scikit-learn's; a linear model has 54.35 and
5.416. 40 s of processor time.
"""

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Mean, optimizer
from adl.data import tables
from adl.linear import covariance
from adl.linear import gaussian_process as gp
from adl.linear.covariance import Kernel, squared_exponential
from adl.measure import regression
from adl.prob.distributions import normal_log_prob


@dataclass(frozen=True)
class Config(run.Table, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, or path, of any table
    num_steps: run.Count = 400  # of the ascent
    batch_size: run.Natural = 0  # rows a step; 0: all, whose evidence it is
    log_every: run.Count = 10
    eval_every: run.Count = 20
    learning_rate: run.Positive = 0.1  # of Adam, on logarithms; it falls to 0 along a cosine
    length: run.Positive = 3.0  # at the start, of each measurement, in standard deviations
    noise_std: run.Positive = 0.7  # at the start, in standard deviations of the target


PROTOCOL = f"{tables.PROTOCOLS['diabetes']}; a length for each measurement"
THEIRS = "scikit-learn's GaussianProcessRegressor with the same kernel, on the same split: {}"
CLAIMS = (
    run.Claim(
        **{"metric": "fit/loss", "at_most": 1.1012},
        protocol=f"{PROTOCOL}; −log evidence, nats a patient, of the standardised target",
        reference=THEIRS.format("1.1011"),
    ),
    run.Claim(
        **{"metric": "test/rmse", "at_most": 52.84},
        protocol=f"{PROTOCOL}; root mean square error of the predictive mean",
        reference=THEIRS.format("52.83"),
    ),
    run.Claim(
        **{"metric": "test/loss", "at_most": 5.3895},
        protocol=f"{PROTOCOL}; −log predictive density, nats a patient",
        reference=THEIRS.format("5.3894"),
    ),
)
SMOKE = {"num_steps": 2}


def load(cfg: Config) -> tuple[tables.Targets, tables.Targets]:
    """Both splits."""
    return tables.targets(cfg.dataset, **cfg.table)


def build(cfg: Config, loaded: tuple[tables.Targets, tables.Targets], axis: str | None) -> run.Experiment:
    """A process of the target."""
    train, test = loaded
    start = {"length": jnp.full(train.x.shape[1], cfg.length), "variance": 1.0, "noise": cfg.noise_std**2}
    tx = optimizer.adam(cfg.learning_rate, optimizer.cosine(cfg.num_steps))

    def look(columns, key, learner):
        x, y, new, came = columns
        kernel, noise = model(gp.values(learner))
        posterior = gp.condition(kernel, x, y, noise_variance=noise)
        seen = gp.predict(kernel, posterior, new)
        scale = jnp.sqrt(seen.variance + noise)
        log_prob = normal_log_prob(came, seen.mean, jnp.log(scale))
        scores = regression.scores(log_prob, seen.mean, came, unit=test.unit)
        return {**scores, "mean": test.unit * seen.mean, "scale": test.unit * scale, "came": test.unit * came}

    def fit(columns, key, learner):
        x, y, *_ = columns
        theta = gp.values(learner)
        kernel, noise = model(theta)
        nats, count = -gp.log_evidence(kernel, x, y, noise_variance=noise), jnp.float32(len(y))
        return {
            "loss": Mean(nats, count),
            "loss_in_unit": Mean(nats + count * math.log(train.unit), count),
            "rate": 1 / theta["length"],
        }

    def told(key, learner, x):
        kernel, noise = model(gp.values(learner))
        posterior = gp.condition(kernel, jnp.asarray(train.x), jnp.asarray(train.y), noise_variance=noise)
        return gp.predict(kernel, posterior, x).mean

    columns = (train.x, train.y, test.x, test.y)
    return run.Experiment(
        gp.evidence_ascent(model, tx, start=start, axis=axis),
        data.shuffled(data.Split({"x": train.x, "y": train.y}), cfg.batch_size or len(train.y)),
        probes={"test": Partial(look, columns), "fit": Partial(fit, columns)},
        offers={"predict": run.Offer.of_table(told, train)},
        figures=show.figures(forecasts=forecasts(train), loss=losses(len(train.y), len(test.y), train.rows)),
    )


def model(theta: dict[str, Array]) -> tuple[Kernel, Array]:
    """The kernel of lengths, of a variance, and the noise."""
    return covariance.scaled(squared_exponential(theta["length"]), theta["variance"]), theta["noise"]


def forecasts(train: tables.Targets) -> show.Draw:
    """What is expected of each row of the test, and which measurements it depends on."""
    return show.page(
        [
            show.forecasts(
                *("test/mean", "test/scale", "test/came"),
                x_label=f"test {train.rows}, by what is expected",
                y_label=f"{train.target} less its mean (its unit)",
                legend="upper left",
            ),
            show.bars(
                *(train.columns, "fit/rate"),
                title="How fast the function changes",
                x_label="1 / length (per sd of the measurement)",
            ),
        ],
        size=(3.6, 3.2),
    )


def losses(num: int, num_test: int, rows: str) -> show.Draw:
    """The evidence as it is ascended, and what that does for rows that were not seen; both in the table's unit."""
    together, others = f"{num:,} {rows} together: −log evidence, each", f"{num_test:,} others, each by itself"
    return show.curves(
        {together: "fit/loss_in_unit", others: "test/loss"},
        y_label="−log p(y), mean (nats)",
        title="Ascent of the evidence",
    )


if __name__ == "__main__":
    run.main(__name__)
