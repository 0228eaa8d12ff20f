"""Linear regression of curves and of diabetes: bases, paths of ridge and lasso, and what the evidence chooses.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 3. The run is ridge regression of the target of 352
patients on ten measurements, batch by batch, in one pass. At the end the same sums give the weights for every penalty;
and curves through 30 noisy points are fitted on five bases and in ten degrees, with precisions of most evidence.

    python -m experiments.linear

Expected: root mean square error 54.35 of ridge regression, 54.42 with the precisions of most evidence, both as
scikit-learn's. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import BadInput, Mean
from adl.linear import basis, bayes, evidence, regression
from experiments.linear.bayes import NAMES, standardised

PENALTIES = np.logspace(-2, 5, 71)  # of ridge regression's path
SHARES = np.logspace(0, -3, 61)  # of the least lasso penalty that leaves no weight
NUM_POINTS = 30  # of the curve
NOISE = 0.15  # standard deviation of the points about it
GRID = np.linspace(-1, 1, 201).astype("f")
DEGREES = tuple(range(10))
LOOSE = 1e-3  # prior precision that posteriors begin with, and the evidence takes out again
CENTRES = np.linspace(-1, 1, 9).astype("f")
BASES = {
    "polynomial": lambda x: basis.polynomial(x, 8),
    "Gaussian": lambda x: constant(basis.gaussian(x, CENTRES, 0.25)),
    "sigmoid": lambda x: constant(basis.sigmoid(x, CENTRES, 0.12)),
    "Fourier": lambda x: basis.fourier(x, 4, 2.5),
    "spline": lambda x: basis.spline(x, basis.clamped(jnp.linspace(-1, 1, 7)), 3),
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, with "x" [D] and a number "y", or "features" and "target"
    num_steps: run.Count = 22  # at most one pass: examples seen twice would count twice
    batch_size: run.Count = 16
    log_every: run.Count = 1
    eval_every: run.Count = 1
    penalty: run.Positive = 10.0  # of ridge regression, on standardised measurements


PROTOCOL = "diabetes: the first 352 of 442 patients to learn, the last 90 to test; root mean square error"
CLAIMS = (
    run.Claim(
        metric="test/rmse",
        at_most=54.36,
        protocol=f"{PROTOCOL}; ridge regression",
        reference="scikit-learn's Ridge(alpha=10) 54.35 on the same split",
    ),
    run.Claim(
        metric="path/evidence_rmse",
        at_most=54.43,
        protocol=f"{PROTOCOL}; precisions of most evidence",
        reference="scikit-learn's BayesianRidge 54.42 on the same split",
    ),
)
SMOKE = {"num_steps": 4}
SWEEP = "penalty=1,100"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A regression of the target, its paths, and curves."""
    train, test = standardised(cfg)
    if cfg.num_steps * cfg.batch_size > len(train.y):
        raise BadInput(
            f"--num_steps {cfg.num_steps} of --batch_size {cfg.batch_size}: they must not exceed the {len(train.y)} "
            "examples, for what is seen twice counts twice"
        )
    everything = {"x": jnp.asarray(train.x), "y": jnp.asarray(train.y)}
    key = jax.random.key(0)

    def rmse(weights):
        return test.unit * jnp.sqrt(jnp.square(test.y - jnp.asarray(test.x) @ weights).mean())

    def look(key, sums):
        weights = regression.ridge_weights(sums, cfg.penalty)
        return {"rmse": Mean.of(rmse(weights)), "loss": Mean.of(jnp.square(rmse(weights) / test.unit))}

    def path(_, sums):
        """Weights and errors along both paths, from the sums that the run has learned."""
        largest = jnp.abs(sums.projection).max()
        ridge = jax.vmap(lambda penalty: regression.ridge_weights(sums, penalty))(jnp.asarray(PENALTIES, jnp.float32))
        lasso = jax.lax.map(
            lambda share: regression.lasso_weights(sums, share * largest)[0], jnp.asarray(SHARES, jnp.float32)
        )
        seen = {
            "ridge": ridge,
            "ridge rmse": jax.vmap(rmse)(ridge),
            "lasso": lasso,
            "lasso rmse": jax.vmap(rmse)(lasso),
        }
        learned, _ = learn(everything["x"], everything["y"])
        best = evidence.maximise(learned, prior_precision=LOOSE)
        chosen = best.weight_precision / best.noise_precision
        return {**seen, "chosen": chosen, "determined": best.determined, "evidence_rmse": Mean.of(rmse(best.mean))}

    def bases(_, sums):
        x, y = points(key)
        seen = {"x": x, "y": y}
        for name, features in BASES.items():
            learned, best = learn(features(x), y)
            prediction = fitted(learned, best, features(jnp.asarray(GRID)))
            error = jnp.sqrt(jnp.square(prediction.mean - truth(GRID)).mean())
            seen |= {f"{name} mean": prediction.mean, f"{name} scale": prediction.scale, f"{name} error": error}
        return seen

    def degrees(_, sums):
        """Of polynomials in rising degree: log evidence, and error within and without the points."""
        x, y = points(key)
        log_evidence, fit, error = [], [], []
        for degree in DEGREES:
            phi, grid = (basis.polynomial(jnp.asarray(z), degree) for z in (x, GRID))
            _, best = learn(phi, y)
            log_evidence.append(best.log_evidence)
            alg, batch = regression.least_squares(), {"x": phi, "y": y}
            weights = regression.ridge_weights(alg.step(key, alg.init(key, batch), batch)[0])
            fit.append(jnp.sqrt(jnp.square(phi @ weights - y).mean()))
            error.append(jnp.sqrt(jnp.square(grid @ weights - truth(GRID)).mean()))
        log_evidence, error = jnp.stack(log_evidence), jnp.stack(error)
        excess = error[log_evidence.argmax()] / error.min()
        return {"log_evidence": log_evidence, "fit": jnp.stack(fit), "error": error, "excess": Mean.of(excess)}

    return run.Experiment(
        regression.ridge(cfg.penalty, axis=axis),
        data.shuffled(data.Split({"x": train.x, "y": train.y}), cfg.batch_size),
        probes={"test": look},
        final={"path": path, "bases": bases, "degrees": degrees},
        figures=show.figures(
            bases=bases_figure,
            paths=paths_figure,
            degrees=degrees_figure,
            loss=loss_figure,
        ),
    )


def constant(features: jax.Array) -> jax.Array:
    """Features `[N, M]` and 1: `[N, M + 1]`."""
    return jnp.concatenate([jnp.ones_like(features[..., :1]), features], -1)


def truth(x: jax.Array) -> jax.Array:
    """The curve: one and a half waves that grow."""
    return jnp.sin(1.5 * jnp.pi * x) * (0.6 + 0.4 * x)


def points(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x `[NUM_POINTS]` in [-1, 1], with a gap, and y about the curve."""
    place, noise = jax.random.split(key)
    x = jax.random.uniform(place, (NUM_POINTS,), minval=-1, maxval=0.5)
    x = jnp.where(x > 0.1, x + 0.5, x)  # none between 0.1 and 0.6
    return x, truth(x) + NOISE * jax.random.normal(noise, (NUM_POINTS,))


def learn(x: jax.Array, y: jax.Array) -> tuple[bayes.Posterior, evidence.Evidence]:
    """The sums of all data at once, and the precisions of most evidence."""
    key, batch = jax.random.key(0), {"x": x, "y": y}
    alg = bayes.bayesian_regression(bayes.known_noise(1.0), prior_precision=LOOSE)
    learned, _ = alg.step(key, alg.init(key, batch), batch)
    return learned, evidence.maximise(learned, prior_precision=LOOSE)


def fitted(learned: bayes.Posterior, best: evidence.Evidence, grid: jax.Array) -> bayes.Prediction:
    """Where the next point is expected, with these precisions."""
    ratio = best.weight_precision / best.noise_precision - LOOSE
    posterior = learned._replace(precision=learned.precision + ratio * jnp.eye(len(learned.projection)))
    return bayes.predict(posterior, grid, bayes.known_noise(best.noise_precision**-0.5))


def bases_figure(outcome: run.Outcome) -> Figure:
    """Five bases, and what they make of the same thirty points: mean and two deviations of the next."""
    figure, axes = show.panel(2, len(BASES), size=(2.2, 1.9))
    x, y = outcome.arrays["bases/x"], outcome.arrays["bases/y"]
    for (upper, lower), (name, features) in zip(axes.T, BASES.items(), strict=True):
        upper.plot(GRID, np.asarray(features(jnp.asarray(GRID))), linewidth=0.9)
        upper.set_title(name)
        mean, scale = outcome.arrays[f"bases/{name} mean"], outcome.arrays[f"bases/{name} scale"]
        band = lower.fill_between(
            GRID, mean - 2 * scale, mean + 2 * scale, color=show.COLORS[5], alpha=0.3, linewidth=0
        )
        (curve,) = lower.plot(GRID, truth(GRID), color="0.4", linestyle="--", linewidth=1)
        (middle,) = lower.plot(GRID, mean, color=show.COLORS[0])
        lower.plot(x, y, "o", color="black", markersize=2)
        lower.set(ylim=(-2.2, 2.2), xlabel="x")
        lower.set_title(f"error {outcome.arrays[f'bases/{name} error']:.3f}", fontsize=8)
    axes[0, 0].set_ylabel("basis functions")
    axes[1, 0].set_ylabel("y")
    handles = {"truth": curve, "posterior mean": middle, "± 2 sd of the next point": band}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def paths_figure(outcome: run.Outcome) -> Figure:
    """Every weight, and the error on test patients, along the paths of ridge and lasso."""
    figure, axes = show.panel(2, 2, size=(3.5, 2.2))
    for column, (name, x, label) in zip(
        axes.T,
        (
            ("ridge", PENALTIES, "penalty of the squares"),
            ("lasso", SHARES, "penalty of the sizes (1: no weight is left)"),
        ),
        strict=True,
    ):
        weights = outcome.arrays[f"path/{name}"]
        for d, line in enumerate(weights.T):
            style = {"color": show.COLORS[d % 7], "linestyle": "-" if d < 7 else "--"}
            column[0].plot(x, line, **style, linewidth=1.1, label=NAMES[d] if len(NAMES) == weights.shape[1] else d)
        column[0].axhline(0, color="0.7", linewidth=0.6)
        column[1].plot(x, outcome.arrays[f"path/{name} rmse"], color="black")
        column[1].set(xlabel=label, ylabel="rmse, test (target's unit)", ylim=(52, 64))
        column[0].set(title=name, ylabel="weight (sd per sd)")
        for ax in column:
            ax.set_xscale("log")
    chosen = outcome.arrays["path/chosen"]
    for ax in axes[:, 0]:
        ax.axvline(chosen, color="0.4", linestyle=":", linewidth=1)
    axes[1, 0].annotate("most evidence", (chosen, 62.5), (4, 0), textcoords="offset points", fontsize=8, va="center")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    return figure


def degrees_figure(outcome: run.Outcome) -> Figure:
    """Which degree the points speak for, without a test set."""
    figure, axes = show.panel(1, 2, size=(3.3, 2.6))
    log_evidence = outcome.arrays["degrees/log_evidence"]
    axes[0, 0].plot(DEGREES, log_evidence, "o-")
    axes[0, 0].axvline(DEGREES[log_evidence.argmax()], color="0.4", linestyle=":", linewidth=1)
    axes[0, 0].set(xlabel="degree", ylabel="log p(y), nats", title="Evidence")
    axes[0, 1].plot(DEGREES, outcome.arrays["degrees/fit"], "o-", label="points that were fitted")
    axes[0, 1].plot(DEGREES, outcome.arrays["degrees/error"], "o-", label="the true curve")
    axes[0, 1].axhline(NOISE, color="0.7", linestyle="--", linewidth=0.8, label="noise")
    axes[0, 1].set(xlabel="degree", ylabel="distance of least squares (rms)", yscale="log", title="Error")
    axes[0, 1].legend(fontsize=8, frameon=False)
    return figure


def loss_figure(outcome: run.Outcome) -> Figure:
    """Ridge regression, batch by batch."""
    return show.curves(
        {"next patients": "train/loss", "test patients": "test/loss"},
        y_label="squared error (variances of the target)",
        title="Ridge regression, 16 patients a step",
    )(outcome)


if __name__ == "__main__":
    run.main(__name__)
