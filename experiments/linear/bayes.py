"""What ten measurements say of diabetes a year later: Bayesian linear regression, exactly, while patients come in.

Bishop 2006, Pattern Recognition and Machine Learning, section 3.3. A step learns a batch of patients once and for all;
the run is one pass over the 352 of the training split. Measurements and outcomes are standardised by their means and
deviations there, and computed with in float32; densities are of outcomes in the table's own unit.

    python -m experiments.linear.bayes
    python -m experiments.linear.bayes --batch_size 1 --num_steps 352 --log_every 352 --sweep prior_precision=1,10,100

With batches of one and one row at the end, train/loss is -log evidence over the number of patients: it chose the
default prior precision among 0.1, 1, 10 and 100. Expected: 5.416 nats, root mean square error 54.35. Seconds.
"""

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import BadInput, Mean
from adl.linear import bayes

NAMES = (
    *("age", "sex", "body mass", "blood pressure", "cholesterol"),
    *("LDL", "HDL", "cholesterol / HDL", "log triglycerides", "glucose"),
)
BODY_MASS = 2  # the measurement of the curves
SEEN = (2, 8, 32, 352)  # patients that the curves have seen
BUMPS = np.linspace(-2.5, 3.5, 9)  # centres of the curves' basis functions, in standard deviations
GRID = np.linspace(-2.5, 3.5, 121)  # where curves are drawn
LOOSE = 1.0  # prior precision of the bumps' heights, times the noise variance


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, with "x" [D] and a number "y", or "features" and "target"
    num_steps: run.Count = 22  # at most one pass: examples seen twice would count twice
    batch_size: run.Count = 16
    log_every: run.Count = 1
    eval_every: run.Count = 1
    prior_precision: run.Positive = 10.0  # of each weight, times the noise variance
    noise: Literal["unknown", "known"] = "unknown"
    noise_std: run.Positive = 0.7  # of known noise, in standard deviations of the target
    noise_shape: run.Positive = 1.0  # of the inverse-gamma prior of unknown noise; worth twice as many patients
    noise_rate: run.Positive = 0.5  # of the same, in squared standard deviations of the target


PROTOCOL = (
    "diabetes: the first 352 of 442 patients to learn, the last 90 to test; prior precision by the evidence of the "
    "former, of 0.1, 1, 10 and 100"
)
CLAIMS = (
    run.Claim(
        metric="test/loss",
        at_most=5.4167,
        protocol=f"{PROTOCOL}; -log predictive density, nats a patient",
        reference="scikit-learn's BayesianRidge 5.4167 on the same split",
    ),
    run.Claim(
        metric="test/rmse",
        at_most=54.42,
        protocol=f"{PROTOCOL}; root mean square error of the predictive mean",
        reference="scikit-learn's BayesianRidge 54.42 on the same split",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16}
SWEEP = "prior_precision=1,10"  # of the tests


class View(NamedTuple):
    """Standardised data."""

    x: np.ndarray  # [N, D]
    y: np.ndarray  # [N]
    unit: float  # of y, in the table's unit


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A regression of the target on all measurements, and curves of it over the third."""
    train, test = standardised(cfg)
    if cfg.num_steps * cfg.batch_size > len(train.y):
        raise BadInput(
            f"--num_steps {cfg.num_steps} of --batch_size {cfg.batch_size}: they must not exceed the {len(train.y)} "
            "examples, for what is seen twice counts twice"
        )
    if cfg.noise == "known":
        noise = bayes.known_noise(cfg.noise_std)
    else:
        noise = bayes.inverse_gamma_noise(cfg.noise_shape, cfg.noise_rate)
    make = functools.partial(bayes.bayesian_regression, noise, prior_precision=cfg.prior_precision)

    def look(key, posterior):
        prediction = bayes.predict(posterior, jnp.asarray(with_one(test.x)), noise)
        error = test.unit * (test.y - prediction.mean)
        log_p = bayes.log_prob(posterior, jnp.asarray(with_one(test.x)), jnp.asarray(test.y), noise) - np.log(test.unit)
        rmse = jnp.sqrt(jnp.square(error).mean())
        mean, scale = bayes.weights(posterior, noise)
        return {
            "loss": Mean.of(-log_p),
            "rmse": Mean.of(rmse),
            "weights": test.unit * mean,
            "deviations": test.unit * jnp.sqrt(jnp.diag(scale)),
        }

    def curves(key, posterior):
        """Posteriors over curves of one measurement after more and more patients; each is learned in one step."""
        alg, grid, drawn = make(prior_precision=LOOSE), jnp.asarray(bumps(GRID)), {}
        for n in SEEN:
            batch = {"x": jnp.asarray(bumps(train.x[:n, BODY_MASS])), "y": jnp.asarray(train.y[:n])}
            learned, _ = alg.step(key, alg.init(key, batch), batch)
            prediction = bayes.predict(learned, grid, noise)
            samples = bayes.sample_weights(key, learned, noise, 12) @ grid.T
            drawn |= {f"mean {n}": prediction.mean, f"scale {n}": prediction.scale, f"samples {n}": samples}
        return drawn

    columns = {"x": with_one(train.x), "y": train.y}
    return run.Experiment(
        make(axis=axis),
        data.shuffled(data.Split(columns), cfg.batch_size),
        probes={"test": look},
        final={"curves": curves},
        figures=show.figures(
            curves=functools.partial(curves_figure, train=train),
            loss=functools.partial(loss_figure, batch_size=cfg.batch_size),
            weights=weights_figure,
        ),
    )


def standardised(cfg: Config) -> tuple[View, View]:
    """Training and test split by the means and deviations of the training split."""
    splits = data.splits(cfg.dataset, "x", "y", data_dir=cfg.data_dir)
    x, y = (np.asarray(splits[0].arrays[name], float) for name in ("x", "y"))

    def standard(split: data.Split) -> View:
        given, wanted = (split.arrays[name] for name in ("x", "y"))
        return View(
            ((given - x.mean(0)) / x.std(0)).astype("f"), ((wanted - y.mean()) / y.std()).astype("f"), float(y.std())
        )

    return standard(splits[0]), standard(splits[1])


def with_one(x: np.ndarray) -> np.ndarray:
    """Measurements `[N, D]` and a constant: `[N, D + 1]`."""
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], 1)


def bumps(x: np.ndarray) -> np.ndarray:
    """Basis functions `[N, 1 + len(BUMPS)]` of a number: Gaussian bumps as wide as they are apart, and a constant."""
    width = BUMPS[1] - BUMPS[0]
    return with_one(np.exp(-0.5 * ((x[:, None] - BUMPS) / width) ** 2).astype("f"))


def curves_figure(outcome: run.Outcome, *, train: View) -> Figure:
    """Curves that are believed in after more and more patients, and where the next patient is expected."""
    figure, axes = show.panel(2, 2, size=(3.2, 2.4))
    for ax, n in zip(axes.flat, SEEN, strict=True):
        mean, scale, samples = (outcome.arrays[f"curves/{name} {n}"] for name in ("mean", "scale", "samples"))
        band = ax.fill_between(GRID, mean - 2 * scale, mean + 2 * scale, color=show.COLORS[5], alpha=0.25, linewidth=0)
        drawn = ax.plot(GRID, samples.T, color=show.COLORS[1], linewidth=0.6, alpha=0.6)
        (middle,) = ax.plot(GRID, mean, color=show.COLORS[0])
        ax.plot(train.x[:n, BODY_MASS], train.y[:n], "o", color="black", markersize=2.2, alpha=0.7)
        ax.set(xlim=(GRID[0], GRID[-1]), ylim=(-3.5, 3.8), title=f"{n} patients")
    keys = {"mean": middle, "draws of the posterior": drawn[0], "next patient, ± 2 scales": band}
    figure.legend(keys.values(), keys, loc="outside lower center", fontsize=8, frameon=False, ncols=3)
    for ax in axes[-1]:
        ax.set_xlabel("body mass (sd)")
    for ax in axes[:, 0]:
        ax.set_ylabel("progression (sd)")
    return figure


def loss_figure(outcome: run.Outcome, *, batch_size: int) -> Figure:
    """How well the next patient is foretold, the more are known."""
    history = [{**row, "step": batch_size * row["step"]} for row in outcome.history]
    figure = show.curves(
        {"test patients": "test/loss"},
        y_label="−log p(y), mean (nats)",
        title="Surprise at the next patient",
    )(outcome._replace(history=history))
    figure.axes[0].set_xlabel("patients learned")
    return figure


def weights_figure(outcome: run.Outcome) -> Figure:
    """What each measurement adds, with two deviations of the posterior either way."""
    mean, deviation = outcome.arrays["test/weights"][:-1], outcome.arrays["test/deviations"][:-1]
    names = NAMES if len(mean) == len(NAMES) else range(len(mean))
    figure, axes = show.panel(size=(4.4, 3.1))
    ax = axes[0, 0]
    ax.axvline(0, color="0.7", linewidth=0.8)
    ax.errorbar(mean, np.arange(len(mean)), xerr=2 * deviation, fmt="o", markersize=4, capsize=2)
    ax.set_yticks(np.arange(len(mean)), names)
    ax.invert_yaxis()
    ax.set(xlabel="change of the target (its unit) for one sd", title="Posterior of the weights, ± 2 sd")
    return figure


if __name__ == "__main__":
    run.main(__name__)
