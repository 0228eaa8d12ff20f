"""Networks of one hidden layer on their way to a Gaussian process, as they grow wider.

Neal 1996, Bayesian Learning for Neural Networks, chapter 2; Williams 1997, NeurIPS 9; Rahimi & Recht 2007, NeurIPS 20.
Half a million random units of three kinds are cut into networks: their kernels come to the kernel of the process, their
outputs to the normal distribution, and what they learn, in their last layer by Bayes' rule, to the process' posterior.

    python -m experiments.linear.gp_wide

Expected: the kernel's error falls as width to the power -0.5, for all three. 30 s of processor time.
"""

import functools
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erf
from jax.tree_util import Partial

from adl import run, show
from adl.core import Key, Mean
from adl.data import curves
from adl.linear import bayes, covariance
from adl.linear import gaussian_process as gp
from adl.linear.random_features import hidden_layer, kernel_errors, random_fourier
from adl.measure.rate import power_law

WIDTHS = tuple(2**power for power in range(2, 13))
SHOWN = {"one unit": 1, "width 4": 4, "width 64": 64}  # whose outputs are drawn
LEARNED = (16, 256)  # widths whose posteriors are
PLACES = np.stack([np.cos(np.arange(6)), np.sin(np.arange(6)) * np.linspace(0.3, 1.5, 6)], 1).astype("f")
LAYERS = {
    "relu network": (lambda key, width: hidden_layer(key, 2, width, jax.nn.relu), covariance.relu_network(1.0, 1.0)),
    "erf network": (lambda key, width: hidden_layer(key, 2, width, erf), covariance.erf_network(1.0, 1.0)),
    "random Fourier": (lambda key, width: random_fourier(key, 2, width // 2), covariance.squared_exponential(1.0)),
}
GRID = np.linspace(-1.6, 1.6, 161).astype("f")  # where posteriors are drawn
EDGES = np.linspace(-4, 4, 81)  # of the outputs' histograms


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claims are about."""

    num_units: Annotated[run.Count, run.multiple_of(4096)] = 2**19  # drawn for each kind of layer
    num_networks: run.Count = 8  # of each width that learn
    noise_std: run.Positive = 0.15  # that the last layer takes the points to have


CLAIMS = tuple(
    run.Claim(
        metric=f"wide/{name} slope",
        at_least=-0.53,
        at_most=-0.47,
        protocol="524,288 random units cut into networks of width 4, 8, ... 4,096, at 6 places: slope of the log rms "
        "error of the kernel over the log width",
        reference="closed form: the variance of a mean over independent units is in proportion to 1 / width",
    )
    for name in LAYERS
)
SMOKE = {"num_units": 2**13, "num_networks": 2}
SWEEP = "noise_std=0.1,0.2"  # of the tests


def load(cfg: Config) -> dict[str, Array]:
    """Thirty points with a gap."""
    x, y = curves.gapped(jax.random.key(0), 30)
    return {"x": x[:, None], "y": y}


def build(cfg: Config, loaded: dict[str, Array], axis: str | None) -> run.Experiment:
    """Kernels, outputs and posteriors."""

    def wide(points, key, state):
        return kernels(key, cfg.num_units) | outputs(key, cfg.num_units) | posteriors(points, key, cfg)

    return run.Experiment(
        final={"wide": Partial(wide, loaded)}, figures=show.figures(wide=wide_page(loaded, cfg.num_networks))
    )


def kernels(key: Key, num_units: int) -> dict[str, Mean | Array]:
    """The error of the kernel by the width, and how it falls."""
    seen: dict[str, Mean | Array] = {}
    for name, (layer, kernel) in LAYERS.items():
        units = jnp.sqrt(num_units) * layer(key, num_units)(PLACES)
        error = kernel_errors(units, kernel(PLACES, PLACES), width=WIDTHS[0], num_doublings=len(WIDTHS) - 1)
        slope = power_law(jnp.asarray(WIDTHS, jnp.float32), error)
        seen |= {f"{name} error": error, f"{name} slope": Mean.of(slope)}
    return seen


def outputs(key: Key, num_units: int) -> dict[str, Array]:
    """Of networks of three widths with random last layers, at one place, in standard deviations of the limit."""
    hidden, last = jax.random.split(key)
    units = hidden_layer(hidden, 2, num_units, jax.nn.relu)(PLACES[:1])[0] * jax.random.normal(last, (num_units,))
    std = jnp.sqrt(covariance.relu_network(1.0, 1.0)(PLACES[:1], PLACES[:1])[0, 0])
    return {name: jnp.sqrt(num_units / width) * units.reshape(-1, width).sum(1) / std for name, width in SHOWN.items()}


def posteriors(points: dict[str, Array], key: Key, cfg: Config) -> dict[str, Array]:
    """What networks of each width have learned in their last layer, and what the process has."""
    limit = covariance.scaled(covariance.erf_network(9.0, 9.0), 4.0)
    posterior = gp.condition(limit, points["x"], points["y"], noise_variance=cfg.noise_std**2)
    process = gp.predict(limit, posterior, jnp.asarray(GRID[:, None]))
    noise = bayes.known_noise(cfg.noise_std)
    alg = bayes.bayesian_regression(noise, prior_precision=cfg.noise_std**2)

    def curve(key, width):
        features = hidden_layer(key, 1, width, erf, weight_variance=9.0, bias_variance=9.0)
        batch = {"x": 2 * features(points["x"]), "y": points["y"]}
        learned, _ = alg.step(key, alg.init(key, batch), batch)
        return bayes.predict(learned, 2 * features(jnp.asarray(GRID[:, None])), noise).mean

    keys = jax.random.split(key, cfg.num_networks)
    learned = {f"curves {width}": jax.vmap(functools.partial(curve, width=width))(keys) for width in LEARNED}
    return {"mean": process.mean, "scale": jnp.sqrt(process.variance + cfg.noise_std**2), **learned}


def wide_page(points: dict[str, Array], num_networks: int) -> show.Draw:
    """Outputs, kernels, and what is learned."""
    normal = np.exp(-0.5 * EDGES**2) / np.sqrt(2 * np.pi)
    slopes = [show.Line(f"wide/{name} error", f"{name}: slope {{wide/{name} slope:.3f}}", "o-") for name in LAYERS]
    words = ("process: mean", "process: next point, ± 2 sd", f"{num_networks} networks, last layer by Bayes' rule")
    out = show.histograms(
        *(EDGES, {name: f"wide/{name}" for name in SHOWN}, ("normal", normal)),
        **{"title": "relu networks", "x_label": "output at one place (sd)", "y_label": "density"},
        **{"y_scale": "log", "y_lim": (3e-4, 3), "legend": "lower center"},
    )
    kernel = show.lines(
        *(WIDTHS, *slopes, show.Line(1.6 / np.sqrt(WIDTHS), "width^(−1/2)", "--", "0.5")),
        **{"title": "Kernel and its limit", "x_label": "width", "y_label": "rms error of the kernel"},
        **{"x_scale": "log", "y_scale": "log", "y_lim": (2e-3, 1.6), "legend": "lower left"},
    )
    learned = [
        show.process(
            *(GRID, "wide/mean", "wide/scale", f"wide/curves {width}"),
            **{"points": (points["x"][:, 0], points["y"]), "words": words},
            **{"title": f"erf, width {width}", "x_label": "x", "y_label": "y", "y_lim": (-2.4, 2.4)},
        )
        for width in LEARNED
    ]
    return show.page([out, kernel], learned, size=(3.6, 2.7))


if __name__ == "__main__":
    run.main(__name__)
