"""Gaussian processes: functions that data allow, the kernel that they speak for, and the networks that become one.

Rasmussen & Williams 2006, Gaussian Processes for Machine Learning. The run chooses the hyper-parameters of a process by
their evidence: one length for each of ten measurements of 352 patients, a variance, and that of the noise; the others
are the test. At the end six kernels are fitted to the same thirty points, the evidence of a few points is drawn with
its two maxima, moons are told apart by Laplace's approximation, and random networks are compared with their limit.

    python -m experiments.linear.gp

Expected: root mean square error 52.83 and 5.389 nats a patient, both as scikit-learn's; a linear model has 54.35 and
5.416. Networks come to the process as width to the power -0.5. 100 s of processor time.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.scipy.special import erf
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Key, Mean, trace, until_still
from adl.data.toys import two_moons
from adl.linear import bayes, covariance, glm, latent_process
from adl.linear import gaussian_process as gp
from adl.linear.covariance import Kernel, squared_exponential
from adl.linear.random_features import hidden_layer, random_fourier
from adl.prob.distributions import normal_log_prob
from adl.prob.product import einsum
from experiments.linear.bayes import NAMES, View, standardised
from experiments.linear.regress import NOISE, points, truth

SPACE = np.linspace(-5, 5, 201).astype("f")[:, None]  # where priors are drawn
GRID = np.linspace(-1.6, 1.6, 161).astype("f")[:, None]  # where posteriors are
ASCENT = 300  # steps of the evidence ascents beside the run
PRIORS: dict[str, Kernel] = {
    "squared exponential": squared_exponential(1.0),
    "Matérn 5/2": covariance.matern(1.0, "5/2"),
    "Matérn 3/2": covariance.matern(1.0, "3/2"),
    "Matérn 1/2": covariance.matern(1.0, "1/2"),
    "rational quadratic": covariance.rational_quadratic(0.7, 0.3),
    "periodic": covariance.periodic(1.0, 2.5),
    "linear + periodic": covariance.added(covariance.linear(0.2), covariance.periodic(1.0, 2.5)),
    "wide erf network": covariance.erf_network(10.0, 10.0),
}
FITTED: dict[str, Callable[[Array], Kernel]] = {  # of one hyper-parameter each, beside the variance
    "squared exponential": squared_exponential,
    "Matérn 5/2": lambda length: covariance.matern(length, "5/2"),
    "Matérn 1/2": lambda length: covariance.matern(length, "1/2"),
    "locally periodic": lambda length: covariance.multiplied(
        covariance.periodic(1.0, 4 / 3), squared_exponential(2 * length)
    ),
    "wide relu network": lambda length: covariance.relu_network(1 / length**2, 1.0),
    "wide erf network": lambda length: covariance.erf_network(1 / length**2, 1.0),
}
FEW_X = np.array([-4.1, -3.2, -1.4, -1.4, 0.6, 1.7, 2.0, 2.8], "f")[:, None]
FEW_Y = np.array([-1.5, -0.2, -0.4, -0.1, 0.7, -0.1, -0.2, 0.0], "f")  # two readings: waves, or noise about a slope
LENGTHS, NOISES = np.logspace(-0.8, 1.5, 70), np.logspace(-1.6, 0.5, 60)  # of the landscape: sides of the drawing
STARTS = {"length": np.array([0.3, 20.0], "f"), "noise": np.array([1.5, 0.9], "f")}  # of the ascents in it
NUM_MOONS, SIDE = 80, 80  # points; of the drawing
UNITS = 2**19  # drawn for each kind of layer, and cut into as many networks of each width as there are
WIDTHS = tuple(2**power for power in range(2, 13))
SHOWN = (1, 4, 64)  # widths whose outputs are drawn
PLACES = np.stack([np.cos(np.arange(6)), np.sin(np.arange(6)) * np.linspace(0.3, 1.5, 6)], 1).astype("f")
LAYERS = {
    "relu network": (lambda key, width: hidden_layer(key, 2, width, jax.nn.relu), covariance.relu_network(1.0, 1.0)),
    "erf network": (lambda key, width: hidden_layer(key, 2, width, erf), covariance.erf_network(1.0, 1.0)),
    "random Fourier": (lambda key, width: random_fourier(key, 2, width // 2), squared_exponential(1.0)),
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, with "x" [D] and a number "y", or "features" and "target"
    num_steps: run.Count = 400  # of the ascent
    batch_size: run.Natural = 0  # rows a step; 0: all, whose evidence it is
    log_every: run.Count = 10
    eval_every: run.Count = 20
    learning_rate: run.Positive = 0.1  # of Adam, on logarithms; it falls to 0 along a cosine
    length: run.Positive = 3.0  # at the start, of each measurement, in standard deviations
    noise_std: run.Positive = 0.7  # at the start, in standard deviations of the target


PROTOCOL = "diabetes: the first 352 of 442 patients to learn, the last 90 to test; a length for each measurement"
THEIRS = "scikit-learn's GaussianProcessRegressor with the same kernel, on the same split: {}"
LIMIT = "closed form: the variance of a mean over independent units is in proportion to 1 / width"
CLAIMS = (
    run.Claim(
        metric="fit/loss",
        at_most=1.1012,
        protocol=f"{PROTOCOL}; −log evidence, nats a patient, of the standardised target",
        reference=THEIRS.format("1.1011"),
    ),
    run.Claim(
        metric="test/rmse",
        at_most=52.84,
        protocol=f"{PROTOCOL}; root mean square error of the predictive mean",
        reference=THEIRS.format("52.83"),
    ),
    run.Claim(
        metric="test/loss",
        at_most=5.3895,
        protocol=f"{PROTOCOL}; −log predictive density, nats a patient",
        reference=THEIRS.format("5.3894"),
    ),
    *(
        run.Claim(
            metric=f"wide/{name} slope",
            at_least=-0.53,
            at_most=-0.47,
            protocol="524,288 random units cut into networks of width 4, 8, ... 4,096, at 6 places: slope of the log "
            "rms error of the kernel over the log width",
            reference=LIMIT,
        )
        for name in LAYERS
    ),
)
SMOKE = {"num_steps": 3}


class Fit(NamedTuple):
    """A process through points, and where it is drawn."""

    mean: Array  # [G]
    scale: Array  # [G] > 0, of the next outcome
    samples: Array  # [S, G] of the function
    log_evidence: Array  # []


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A process of the target, and the others beside it."""
    train, test = standardised(cfg)
    x, y = jnp.asarray(train.x), jnp.asarray(train.y)
    start = {"length": jnp.full(x.shape[1], cfg.length), "variance": 1.0, "noise": cfg.noise_std**2}
    tx = optax.adam(optax.cosine_decay_schedule(cfg.learning_rate, cfg.num_steps))

    def look(key, learner):
        kernel, noise = model(gp.values(learner))
        posterior = gp.condition(kernel, x, y, noise_variance=noise)
        seen = gp.predict(kernel, posterior, jnp.asarray(test.x))
        scale = jnp.sqrt(seen.variance + noise)
        log_p = normal_log_prob(jnp.asarray(test.y), seen.mean, jnp.log(scale)) - np.log(test.unit)
        rmse = test.unit * jnp.sqrt(jnp.square(seen.mean - test.y).mean())
        return {"loss": Mean.of(-log_p), "rmse": Mean.of(rmse), "mean": seen.mean, "scale": scale}

    def fit(key, learner):
        theta = gp.values(learner)
        kernel, noise = model(theta)
        nats = -gp.log_evidence(kernel, x, y, noise_variance=noise)
        return {"loss": Mean(nats, jnp.float32(len(y))), "length": theta["length"]}

    return run.Experiment(
        gp.evidence_ascent(model, start, tx, axis=axis),
        data.shuffled(data.Split({"x": train.x, "y": train.y}), cfg.batch_size or len(train.y)),
        probes={"test": look, "fit": fit},
        final={"priors": priors, "fits": fits, "landscape": landscape, "moons": moons, "wide": wide},
        figures=show.figures(
            priors=priors_figure,
            posteriors=fits_figure,
            evidence=landscape_figure,
            moons=moons_figure,
            wide=wide_figure,
            patients=functools.partial(patients_figure, test=test),
            loss=functools.partial(loss_figure, unit=train.unit),
        ),
    )


def model(theta: dict[str, Array]) -> tuple[Kernel, Array]:
    """The kernel of lengths, of a variance, and the noise."""
    return covariance.scaled(squared_exponential(theta["length"]), theta["variance"]), theta["noise"]


def priors(key: Key, state: object) -> dict[str, Array]:
    """Functions before any data."""
    keys = dict(zip(PRIORS, jax.random.split(key, len(PRIORS)), strict=True))
    laws = {name: gp.MultivariateNormal(jnp.zeros(len(SPACE)), kernel(SPACE, SPACE)) for name, kernel in PRIORS.items()}
    return {name: gp.sample(keys[name], law, 4) for name, law in laws.items()}


def ascend(key: Key, make: gp.Model, start: object, batch: dict[str, Array], rate: float = 0.05) -> object:
    """The path `[ASCENT, ...]` of hyper-parameters towards more evidence."""
    alg = gp.evidence_ascent(make, start, optax.adam(optax.cosine_decay_schedule(rate, ASCENT)))
    return trace(alg, ASCENT, gp.values)(key, alg.init(key, batch), batch)[1]


def drawn(key: Key, kernel: Kernel, noise: Array, batch: dict[str, Array], grid: Array, num_samples: int = 6) -> Fit:
    """The process through a batch."""
    posterior = gp.condition(kernel, batch["x"], batch["y"], noise_variance=noise)
    law = gp.joint(kernel, posterior, grid)
    scale = jnp.sqrt(gp.predict(kernel, posterior, grid).variance + noise)
    return Fit(law.loc, scale, gp.sample(key, law, num_samples), posterior.log_evidence)


def fits(key: Key, state: object) -> dict[str, Array]:
    """Six kernels, each with its hyper-parameters of most evidence, through the same points."""
    x, y = points(jax.random.key(0))
    batch, seen = {"x": x[:, None], "y": y}, {"x": x, "y": y}
    for name, kernel in FITTED.items():

        def make(theta, kernel=kernel):
            return covariance.scaled(kernel(theta["length"]), theta["variance"]), theta["noise"]

        path = ascend(key, make, {"length": 0.6, "variance": 0.5, "noise": 0.05}, batch)
        best = drawn(key, *make(jax.tree.map(lambda leaf: leaf[-1], path)), batch, jnp.asarray(GRID))
        error = jnp.sqrt(jnp.square(best.mean - truth(GRID[:, 0]))[np.abs(GRID[:, 0]) <= 1].mean())
        seen |= {f"{name} {field}": value for field, value in best._asdict().items()} | {f"{name} error": error}
    return seen


def landscape(key: Key, state: object) -> dict[str, Array]:
    """The evidence of eight points by length and noise, and two ascents in it."""
    batch = {"x": jnp.asarray(FEW_X), "y": jnp.asarray(FEW_Y)}

    def make(theta):
        return squared_exponential(theta["length"]), jnp.square(theta["noise"])

    def nats(length, noise):
        kernel, variance = make({"length": length, "noise": noise})
        return gp.log_evidence(kernel, batch["x"], batch["y"], noise_variance=variance)

    sides = (jnp.asarray(side, jnp.float32) for side in (LENGTHS, NOISES))
    seen = {"log_evidence": jax.vmap(jax.vmap(nats, (0, None)), (None, 0))(*sides)}
    paths = jax.vmap(lambda start: ascend(key, make, start, batch))(STARTS)
    ends = jax.tree.map(lambda values: values[:, -1], paths)
    best = jax.vmap(lambda theta: drawn(key, *make(theta), batch, jnp.asarray(SPACE)))(ends)
    return {**seen, **paths, **{f"best {name}": value for name, value in best._asdict().items()}}


def moons(key: Key, state: object) -> dict[str, Array]:
    """Classes by Laplace's approximation, for three lengths of which the evidence chooses."""
    x, label = two_moons(jax.random.key(1), NUM_MOONS, noise=0.25)
    side = jnp.linspace(-2.2, 2.2, SIDE)
    grid = jnp.stack(jnp.meshgrid(side, side), -1).reshape(-1, 2)
    middle = x.mean(0, keepdims=True)
    seen = {"x": x - middle, "label": label}
    for length in (0.15, 0.6, 4.0):
        kernel = covariance.scaled(squared_exponential(length), 9.0)
        weights, _ = until_still(latent_process.newton(glm.bernoulli, kernel))(key, {"x": x - middle, "y": label})
        found = latent_process.approximate(glm.bernoulli, kernel, x - middle, label, weights)
        law = latent_process.predict(kernel, found, grid)
        seen[f"p {length}"] = latent_process.expected(glm.bernoulli, law).reshape(SIDE, SIDE)
        seen[f"log_evidence {length}"] = found.log_evidence
    return seen


def wide(key: Key, state: object) -> dict[str, Mean | Array]:
    """How random networks of growing width come to their process: in their kernel, outputs and posterior."""
    seen: dict[str, Mean | Array] = {}
    for name, (layer, kernel) in LAYERS.items():
        phi, want = jnp.sqrt(UNITS) * layer(key, UNITS)(PLACES), kernel(PLACES, PLACES)

        def error(width, phi=phi, want=want):
            cut = phi.reshape(len(phi), -1, width)
            grams = einsum("inw,jnw->nij", cut, cut) / width
            return jnp.sqrt(jnp.square(grams - want[None]).mean())

        size = jnp.stack([error(width) for width in WIDTHS])
        x, y = (values - values.mean() for values in (jnp.log(jnp.asarray(WIDTHS, jnp.float32)), jnp.log(size)))
        seen |= {f"{name} error": size, f"{name} slope": Mean.of((x * y).sum() / jnp.square(x).sum())}

    hidden, last = jax.random.split(key)
    units = hidden_layer(hidden, 2, UNITS, jax.nn.relu)(PLACES[:1])[0] * jax.random.normal(last, (UNITS,))
    std = jnp.sqrt(covariance.relu_network(1.0, 1.0)(PLACES[:1], PLACES[:1])[0, 0])
    for width in SHOWN:
        seen[f"output {width}"] = jnp.sqrt(UNITS / width) * units.reshape(-1, width).sum(1) / std

    x, y = points(jax.random.key(0))
    limit = covariance.scaled(covariance.erf_network(9.0, 9.0), 4.0)
    posterior = gp.condition(limit, x[:, None], y, noise_variance=NOISE**2)
    process = gp.predict(limit, posterior, jnp.asarray(GRID))
    noise = bayes.known_noise(NOISE)
    seen |= {"mean": process.mean, "scale": jnp.sqrt(process.variance + NOISE**2)}
    alg = bayes.bayesian_regression(noise, prior_precision=NOISE**2)

    def curve(key, width):
        features = hidden_layer(key, 1, width, erf, weight_variance=9.0, bias_variance=9.0)
        batch = {"x": 2 * features(x[:, None]), "y": y}
        learned, _ = alg.step(key, alg.init(key, batch), batch)
        return bayes.predict(learned, 2 * features(jnp.asarray(GRID)), noise).mean

    keys = jax.random.split(key, 8)
    return seen | {f"curves {width}": jax.vmap(functools.partial(curve, width=width))(keys) for width in (16, 256)}


def priors_figure(outcome: run.Outcome) -> Figure:
    """Four functions of each kernel."""
    figure, axes = show.panel(2, 4, size=(2.4, 1.9))
    for ax, name in zip(axes.flat, PRIORS, strict=True):
        ax.plot(SPACE[:, 0], outcome.arrays[f"priors/{name}"].T, linewidth=1.0)
        ax.set(title=name, ylim=(-3.4, 3.4), xlim=(SPACE[0, 0], SPACE[-1, 0]))
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("f(x), drawn from the prior")
    return figure


def _process(ax, grid: np.ndarray, mean: np.ndarray, scale: np.ndarray, samples: np.ndarray | None) -> dict:
    """A process on axes; what is drawn, by name."""
    band = ax.fill_between(grid, mean - 2 * scale, mean + 2 * scale, color=show.COLORS[5], alpha=0.25, linewidth=0)
    keys = {}
    if samples is not None:
        keys["draws of the posterior"] = ax.plot(grid, samples.T, color=show.COLORS[1], linewidth=0.6, alpha=0.6)[0]
    (middle,) = ax.plot(grid, mean, color=show.COLORS[0])
    return {"mean": middle, **keys, "next point, ± 2 sd": band}


def fits_figure(outcome: run.Outcome) -> Figure:
    """What six kernels make of the same points, within them, in their gap and beyond."""
    of = {name.removeprefix("fits/"): value for name, value in outcome.arrays.items() if name.startswith("fits/")}
    figure, axes = show.panel(2, 3, size=(3.0, 2.2))
    for ax, name in zip(axes.flat, FITTED, strict=True):
        keys = _process(ax, GRID[:, 0], *(of[f"{name} {field}"] for field in ("mean", "scale", "samples")))
        inside = np.abs(GRID[:, 0]) <= 1
        (curve,) = ax.plot(GRID[inside, 0], truth(GRID[inside, 0]), color="0.3", linestyle="--", linewidth=1)
        (seen,) = ax.plot(of["x"], of["y"], "o", color="black", markersize=2.2)
        ax.set(ylim=(-2.4, 2.4), xlim=(GRID[0, 0], GRID[-1, 0]))
        numbers = f"log p(y) {of[f'{name} log_evidence']:.1f} nats, error {of[f'{name} error']:.3f}"
        ax.set_title(f"{name}\n{numbers}", fontsize=9)
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("y")
    keys |= {"truth": curve, "points": seen}
    figure.legend(keys.values(), keys, loc="outside lower center", fontsize=8, frameon=False, ncols=len(keys))
    return figure


def landscape_figure(outcome: run.Outcome) -> Figure:
    """Two maxima: the points are waves with little noise, or noise about a slope."""
    of = {name.removeprefix("landscape/"): v for name, v in outcome.arrays.items() if name.startswith("landscape/")}
    figure, axes = show.panel(1, 3, size=(3.2, 2.8))
    ax, best = axes[0, 0], of["log_evidence"].max()
    levels = best - np.array([16, 11, 8, 6, 4.5, 3.4, 2.5, 1.8, 1.2, 0.8, 0.45, 0.2, 0.05, 0])
    filled = ax.contourf(LENGTHS, NOISES, of["log_evidence"], levels, cmap="Blues", extend="min")
    ax.contour(LENGTHS, NOISES, of["log_evidence"], levels[:-1], colors="0.4", linewidths=0.4)
    ax.set(xscale="log", yscale="log", xlabel="length", ylabel="noise (sd)", title="log evidence, and two ascents")
    figure.colorbar(filled, ax=ax, label="log p(y), nats", format="%.1f").ax.tick_params(labelsize=7)
    for index, color in enumerate((show.COLORS[1], show.COLORS[2])):
        length, noise = of["length"][index], of["noise"][index]
        ax.plot(length, noise, color=color, linewidth=1.3)
        ax.plot(length[0], noise[0], "o", color=color, markersize=4)
        ax.plot(length[-1], noise[-1], "*", color=color, markersize=10, markeredgecolor="black", markeredgewidth=0.6)
        right = axes[0, 1 + index]
        keys = _process(right, SPACE[:, 0], *(of[f"best {field}"][index] for field in ("mean", "scale", "samples")))
        right.plot(FEW_X[:, 0], FEW_Y, "o", color="black", markersize=3)
        numbers = f"length {length[-1]:.2f}, noise {noise[-1]:.2f}: {of['best log_evidence'][index]:.2f} nats"
        right.set_title(numbers, color=color, fontsize=9)
        right.set(xlabel="x", ylabel="y", ylim=(-3.2, 3.2), xlim=(SPACE[0, 0], SPACE[-1, 0]))
    figure.legend(keys.values(), keys, loc="outside lower center", fontsize=8, frameon=False, ncols=len(keys))
    return figure


def moons_figure(outcome: run.Outcome) -> Figure:
    """How sure a process is of two classes, near the points and away from them."""
    of = {name.removeprefix("moons/"): value for name, value in outcome.arrays.items() if name.startswith("moons/")}
    lengths = [name.removeprefix("p ") for name in of if name.startswith("p ")]
    figure, axes = show.panel(1, len(lengths), size=(2.8, 2.8))
    side = np.linspace(-2.2, 2.2, SIDE)
    for ax, length in zip(axes[0], lengths, strict=True):
        image = ax.imshow(
            of[f"p {length}"], origin="lower", extent=(-2.2, 2.2) * 2, cmap="RdBu_r", vmin=0, vmax=1, alpha=0.7
        )
        ax.contour(side, side, of[f"p {length}"], [0.1, 0.5, 0.9], colors="black", linewidths=[0.6, 1.3, 0.6])
        for label, color in enumerate((show.COLORS[0], show.COLORS[1])):
            ax.plot(*of["x"][of["label"] == label].T, "o", color=color, markersize=3.2, markeredgecolor="white")
        ax.set_title(f"length {length}: {of[f'log_evidence {length}']:.1f} nats", fontsize=9)
        ax.set(xlabel="x₁", aspect="equal")
    axes[0, 0].set_ylabel("x₂")
    figure.colorbar(image, ax=axes, label="p(class 1 | x)", shrink=0.8).ax.tick_params(labelsize=8)
    return figure


def wide_figure(outcome: run.Outcome) -> Figure:
    """Networks of one hidden layer on their way to a Gaussian process."""
    of = {name.removeprefix("wide/"): value for name, value in outcome.arrays.items() if name.startswith("wide/")}
    figure, axes = show.panel(2, 2, size=(3.6, 2.7))
    ax, z = axes[0, 0], np.linspace(-4, 4, 81)
    for width, color in zip(SHOWN, show.COLORS, strict=False):
        label = f"width {width}" if width > 1 else "one unit"
        ax.hist(of[f"output {width}"], z, density=True, histtype="step", color=color, linewidth=1.1, label=label)
    ax.plot(z, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), color="black", linestyle="--", linewidth=1, label="normal")
    ax.set(xlabel="output at one place (sd)", ylabel="density", yscale="log", ylim=(3e-4, 3), title="relu networks")
    ax.legend(fontsize=8, frameon=False)
    ax = axes[0, 1]
    for name, color in zip(LAYERS, show.COLORS, strict=False):
        slope = outcome.last(f"wide/{name} slope")
        ax.plot(WIDTHS, of[f"{name} error"], "o-", color=color, markersize=3, label=f"{name}: slope {slope:.3f}")
    reference = 1.6 / np.sqrt(WIDTHS)
    ax.plot(WIDTHS, reference, color="0.5", linestyle="--", linewidth=0.8, label="width^(−1/2)")
    ax.set(xscale="log", yscale="log", xlabel="width", ylabel="rms error of the kernel", title="Kernel and its limit")
    ax.legend(fontsize=7, frameon=False)
    fitted = {name: outcome.arrays[f"fits/{name}"] for name in ("x", "y")}
    for ax, width in zip(axes[1], (16, 256), strict=True):
        keys = _process(ax, GRID[:, 0], of["mean"], of["scale"], None)
        keys["mean"].set(color="black", linestyle="--", zorder=3)
        keys = {"process: mean": keys["mean"], "process: next point, ± 2 sd": keys["next point, ± 2 sd"]}
        keys["eight networks, last layer by Bayes' rule"] = ax.plot(
            GRID[:, 0], of[f"curves {width}"].T, color=show.COLORS[1], linewidth=0.7, alpha=0.8
        )[0]
        ax.plot(fitted["x"], fitted["y"], "o", color="black", markersize=2.2)
        ax.set(xlabel="x", ylabel="y", ylim=(-2.4, 2.4), xlim=(GRID[0, 0], GRID[-1, 0]), title=f"erf, width {width}")
    figure.legend(keys.values(), keys, loc="outside lower center", fontsize=8, frameon=False, ncols=len(keys))
    return figure


def patients_figure(outcome: run.Outcome, *, test: View) -> Figure:
    """What is expected of each test patient, and which measurements it depends on."""
    figure, axes = show.panel(1, 2, size=(3.6, 3.2))
    ax = axes[0, 0]
    mean, scale = (test.unit * outcome.arrays[f"test/{name}"] for name in ("mean", "scale"))
    order, came = np.argsort(mean), test.unit * test.y
    covered = (np.abs(came - mean) < 2 * scale).mean()
    ax.fill_between(
        np.arange(len(mean)), (mean - 2 * scale)[order], (mean + 2 * scale)[order], color=show.COLORS[5], alpha=0.3
    )
    ax.plot(mean[order], color=show.COLORS[0], label="expected, ± 2 sd")
    ax.plot(came[order], "o", color="black", markersize=2.5, label="came")
    ax.set(xlabel="test patients, by what is expected", ylabel="progression less its mean (target's unit)")
    ax.set_title(f"{covered:.0%} within two deviations")
    ax.legend(loc="upper left", fontsize=8, frameon=False)
    length = outcome.arrays["fit/length"]
    names = NAMES if len(length) == len(NAMES) else range(len(length))
    axes[0, 1].barh(np.arange(len(length)), 1 / length, color=show.COLORS[0], height=0.6)
    axes[0, 1].set_yticks(np.arange(len(length)), names)
    axes[0, 1].invert_yaxis()
    axes[0, 1].set(xlabel="1 / length (per sd of the measurement)", title="How fast the function changes")
    return figure


def loss_figure(outcome: run.Outcome, *, unit: float) -> Figure:
    """The evidence as it is ascended, and what that does for patients who were not seen; both in the table's unit."""
    history = [
        {**row, "fit/loss": np.add(row["fit/loss"], np.log(unit))} for row in outcome.history if "fit/loss" in row
    ]
    return show.curves(
        {"352 patients together: −log evidence, each": "fit/loss", "90 others, each by itself": "test/loss"},
        y_label="−log p(y), mean (nats)",
        title="Ascent of the evidence",
    )(outcome._replace(history=history))


if __name__ == "__main__":
    run.main(__name__)
