"""What ten measurements say of diabetes a year later: Bayesian linear regression, exactly, while patients come in.

Bishop 2006, Pattern Recognition and Machine Learning, section 3.3. A step learns a batch of patients once and for all;
the run is one pass over the 352 of the training split. Measurements and outcomes are standardised by their means and
deviations there, and computed with in float32; densities are of outcomes in the table's own unit.

    python -m experiments.linear.bayes
    >>> outcome = run.load("runs/linear/bayes").predict(rows)
    python -m experiments.linear.bayes --batch_size 1 --num_steps 352 --log_every 352 --sweep prior_precision=1,10,100

With batches of one and one row at the end, train/loss is -log evidence over the number of patients: it chose the
default prior precision among 0.1, 1, 10 and 100. Expected: 5.416 nats, root mean square error 54.35. Seconds.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data, run, show
from adl.data import tables
from adl.linear import bayes
from adl.linear.basis import gaussian, with_one
from adl.measure import regression

SEEN = (2, 8, 32)  # rows that the curves have seen; in the end all
NUM_BUMPS = 9  # basis functions of the curves
LOOSE = 1.0  # prior precision of the bumps' heights, times the noise variance


@dataclass(frozen=True)
class Config(run.Table, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, or path, of any table
    num_steps: run.Count = 22  # at most one pass: examples seen twice would count twice
    batch_size: run.Natural = 0  # rows a step; 0: all, dealt among the steps
    log_every: run.Count = 1
    eval_every: run.Count = 1
    prior_precision: run.Positive = 10.0  # of each weight, times the noise variance
    noise: Literal["unknown", "known"] = "unknown"  # whether its variance has a prior, or is given
    noise_std: run.Positive = 0.7  # of known noise, in standard deviations of the target
    noise_shape: run.Positive = 1.0  # of the inverse-gamma prior of unknown noise; worth twice as many patients
    noise_rate: run.Positive = 0.5  # of the same, in squared standard deviations of the target


PROTOCOL = f"{tables.PROTOCOLS['diabetes']}; prior precision by the evidence of the former, of 0.1, 1, 10 and 100"
CLAIMS = (
    run.Claim(
        **{"metric": "test/loss", "at_most": 5.4167},
        protocol=f"{PROTOCOL}; -log predictive density, nats a patient",
        reference="scikit-learn's BayesianRidge 5.4167 on the same split",
    ),
    run.Claim(
        **{"metric": "test/rmse", "at_most": 54.42},
        protocol=f"{PROTOCOL}; root mean square error of the predictive mean",
        reference="scikit-learn's BayesianRidge 54.42 on the same split",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16}
SWEEP = "prior_precision=1,10"  # of the tests


def load(cfg: Config) -> tuple[tables.Targets, tables.Targets]:
    """Both splits."""
    return tables.targets(cfg.dataset, **cfg.table)


def build(cfg: Config, loaded: tuple[tables.Targets, tables.Targets], axis: str | None) -> run.Experiment:
    """A regression of the target on all measurements, and curves of it over the one that says most of it."""
    train, test = loaded
    shown = int(np.abs(train.y @ train.x).argmax())
    x, y = train.x[:, shown], train.y
    seen, grid = {*filter(len(y).__gt__, SEEN), len(y)}, np.linspace(x.min() - 0.25, x.max() + 0.25, 121, dtype="f")
    unknown = bayes.inverse_gamma_noise(cfg.noise_shape, cfg.noise_rate)
    noise = bayes.known_noise(cfg.noise_std) if cfg.noise == "known" else unknown
    make = functools.partial(bayes.bayesian_regression, noise)

    def look(rows, key, posterior):
        x, y = rows
        mean, scale = bayes.weights(posterior, noise)
        log_prob, told = bayes.log_prob(posterior, x, y, noise), bayes.predict(posterior, x, noise).mean
        weights = {"weights": test.unit * mean[:-1], "deviations": test.unit * jnp.sqrt(jnp.diag(scale))[:-1]}
        return regression.scores(log_prob, told, y, unit=test.unit) | weights

    def curves(rows, key, posterior):
        """Posteriors over curves of one measurement after more and more rows; each is learned in one step."""
        alg, places, drawn = make(prior_precision=LOOSE), bumps(jnp.asarray(grid), grid), {}
        for n in seen:
            batch = {"x": bumps(rows[0][:n], grid), "y": rows[1][:n]}
            learned, _ = alg.step(key, alg.init(key, batch), batch)
            prediction = bayes.predict(learned, places, noise)
            samples = bayes.sample_weights(key, learned, noise, 12) @ places.T
            drawn |= {f"{n} mean": prediction.mean, f"{n} scale": prediction.scale, f"{n} samples": samples}
        return drawn

    batches = data.once(data.Split({"x": with_one(train.x), "y": y}), cfg.batch_size, cfg.num_steps)
    return run.Experiment(
        make(prior_precision=cfg.prior_precision, axis=axis),
        batches,
        probes={"test": Partial(look, (with_one(test.x), test.y))},
        final={"curves": Partial(curves, (x, y))},
        offers={"predict": run.Offer.of_table(lambda _, told, x: bayes.predict(told, with_one(x), noise).mean, train)},
        figures=figures(train._replace(x=x), train.columns[shown], sorted(seen), grid, batches.batch_size),
    )


def bumps(x: jnp.ndarray, grid: np.ndarray) -> jnp.ndarray:
    """Basis functions `[N, 1 + NUM_BUMPS]` of a number: Gaussian bumps as wide as they are apart, and a constant."""
    centres = np.linspace(grid[0], grid[-1], NUM_BUMPS, dtype="f")
    return with_one(gaussian(x, centres, centres[1] - centres[0]))


def figures(
    train: tables.Targets, shown: str, seen: list[int], grid: np.ndarray, batch_size: int
) -> dict[str, show.Draw]:
    """Curves after more and more rows, surprise at the next, and what each measurement adds."""
    rows, y_lim = train.rows, (float(train.y.min()) - 1.5, float(train.y.max()) + 1.5)
    panels = [
        show.process(
            *(grid, *(f"curves/{n} {field}" for field in ("mean", "scale", "samples"))),
            words=("mean", "the next, ± 2 scales", "draws of the posterior"),
            **{"points": (train.x[:n], train.y[:n]), "y_lim": y_lim, "title": f"{n} {rows}"},
        )
        for n in seen
    ]
    weights = show.dots(
        *(train.columns, {"": "test/weights"}),
        **{"error": "test/deviations", "verticals": {"": 0}, "title": "Posterior of the weights, ± 2 sd"},
        x_label="change of the target (its unit) for one sd",
    )
    return show.figures(
        curves=show.page(
            panels[:2], panels[2:], size=(3.2, 2.4), x_label=f"{shown} (sd)", y_label=f"{train.target} (sd)"
        ),
        loss=show.curves(
            {f"test {rows}": "test/loss"},
            **{"y_label": "−log p(y), mean (nats)", "title": "Surprise at the next"},
            **{"x_label": f"{rows} learned", "x_unit": batch_size},
        ),
        weights=show.page([weights], size=(4.4, 1.1 + 0.2 * len(train.columns))),
    )


if __name__ == "__main__":
    run.main(__name__)
