"""Densities of the plane as energies: learned from their own chains, judged by likelihoods that are exact in 2-D.

Persistent contrastive divergence (Tieleman 2008, ICML) with Langevin chains. The plane is small enough to integrate
exp(-E) over it, so the test likelihood is exact, and so is the density that the points were drawn from: the gap
between both is KL(true || model). Beside it stands a kernel density estimate of the same training points, at the
bandwidth that is best on the test points.

    python -m experiments.energy
    python -m experiments.energy --dataset eight_gaussians

Expected: KL 0.028 over 5 seeds, the kernel density's is 0.060; a minute on two CPU cores. Modes that chains do not
travel between are harder, as their weights swing with the parameters: about 0.04 for eight_gaussians (kernel density
0.042), 0.03 for two_moons (0.027), 0.13 for spirals (0.051) and 0.21 for rings (0.062).
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array, lax
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Mean, average_params
from adl.energy.contrastive_divergence import Points, persistent_contrastive_divergence
from adl.energy.tilt import Tilted
from adl.nn.mlp import MLP
from adl.prob import kernel, quadrature
from adl.sampling.langevin import langevin

NUM_TEST = 10000
SIDE = 6.0  # the plane is integrated over [-6, 6] x [-6, 6]
CELLS = 240  # along a side
DRAWN = 4.2  # of the plane in figures
BANDWIDTHS = np.geomspace(0.03, 0.3, 12)  # tried for the kernel density


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claim is about."""

    dataset: Literal["eight_gaussians", "two_moons", "rings", "spirals", "swiss_roll"] = "swiss_roll"  # of toys
    num_steps: run.Count = 6000
    batch_size: run.Count = 256
    steps_per_call: run.Count = 20
    eval_every: run.Count = 500
    checkpoint_every: run.Count = 4000
    num_train: run.Count = 2000  # points to learn from; 10,000 others to test
    noise: run.Positive = 0.2  # standard deviation of the Gaussian noise around the toy's centers or curves
    hidden: tuple[int, ...] = (128, 128)  # widths of the energy's hidden layers
    std: run.Positive = 2.0  # of the Gaussian that the network tilts, and of the noise in which chains begin
    num_chains: run.Count = 1024  # that persist, split over devices
    restart: run.Fraction = 0.0  # share of the moved chains that begin anew: one that has yet to arrive is no sample
    langevin_steps: run.Count = 20  # of a chain that is moved
    step_size: run.Positive = 0.1  # of Langevin, in units of the plane: half the noise, the finest scale there is
    learning_rate: run.Positive = 2e-3  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.9995  # decay of the parameter average, which is evaluated


CLAIMS = (
    run.Claim(
        metric="test/kl",
        at_most=0.0596,
        overrides={"num_seeds": 5},
        protocol="swiss roll with noise 0.2; 2,000 points to learn from, 10,000 to test; KL(true || model) in nats, "
        "exp(-E) integrated over the plane; averaged parameters, mean of 5 seeds",
        reference="kernel density estimate of the same points, at the best of 12 bandwidths on the test points: 0.0596",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_chains": 32, "langevin_steps": 3, "num_train": 64}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An energy of the plane, its exact likelihood, and where its chains are."""
    with jax.ensure_compile_time_eval():  # the experiment is built within the program of a sweep, too
        draw = getattr(data.toys, cfg.dataset)
        train, test = (
            draw(jax.random.key(key), n, noise=cfg.noise)[0] for key, n in enumerate((cfg.num_train, NUM_TEST))
        )
        centers, _ = draw(jax.random.key(2), 4096, noise=0.0)
        grid, area = quadrature.plane(-SIDE, SIDE, CELLS)
        truth, known = (log_prob(x, centers, cfg.noise) for x in (test, grid.reshape(-1, 2)))
        train = np.asarray(train)
    model = Tilted(MLP((*cfg.hidden, 1), activation=nn.silu, dtype=jnp.dtype(cfg.precision)), cfg.std)
    rate = optax.cosine_decay_schedule(1.0, cfg.num_steps)
    algorithm = persistent_contrastive_divergence(
        model,
        optax.chain(optax.adam(lambda step: cfg.learning_rate * rate(step)), average_params(cfg.ema)),
        sampler=functools.partial(langevin, step_size=cfg.step_size, num_steps=cfg.langevin_steps),
        num_chains=cfg.num_chains,
        restart=cfg.restart,
        noise=lambda key, shape: cfg.std * jax.random.normal(key, shape),
        prepare=lambda key, batch: Points(batch["x"]),
        axis=axis,
    )

    def log_density(state, x):
        return -model.apply(state.learner.averaged, x)

    def normaliser(state):
        return quadrature.log_integral(log_density(state, grid.reshape(-1, 2)), area)

    def likelihood(key, state):
        log_model = log_density(state, test) - normaliser(state)
        return {"nll": Mean.of(-log_model), "kl": Mean.of(truth - log_model), "entropy": Mean.of(-truth)}

    def kernels(key, state):
        found = [truth - log_prob(test, jnp.asarray(train), bandwidth) for bandwidth in BANDWIDTHS]
        return {"kl": Mean.of(jnp.stack(found)[jnp.stack(found).mean(1).argmin()])}

    def density(key, state):
        log_model = log_density(state, grid.reshape(-1, 2)) - normaliser(state)
        both = {"true": known, "model": log_model}
        maps = {name: values.reshape(CELLS, CELLS) for name, values in both.items()}
        return {**maps, "chains": state.chains.x}

    return run.Experiment(
        algorithm,
        data.shuffled(data.Split({"x": train}), cfg.batch_size),
        probes={"test": likelihood},
        final={"density": density, "kernel": kernels},
        figures=show.figures(
            density=density_figure,
            likelihood=likelihood_figure,
            energy=energy_figure,
        ),
    )


def log_prob(x: Array, centers: Array, bandwidth: float) -> Array:
    """`[N]` log-density of Gaussians around the centers, 500 points at a time."""
    return lax.map(lambda point: kernel.gaussian_log_prob(point[None], centers, bandwidth)[0], x, batch_size=500)


def density_figure(outcome: run.Outcome) -> Figure:
    """The true and the learned density, the learned one with the chains on it, and where the two differ."""
    true, model, chains = (outcome.arrays[f"density/{name}"] for name in ("true", "model", "chains"))
    where = true > true.max() - 6
    density = {"cmap": "Blues", "vmin": 0, "vmax": np.exp(true).max()}
    maps = (
        ("true density", np.exp(true), density, None),
        ("learned density, and chains", np.exp(model), density, "density"),
        (
            "log p(model) - log p(true)",
            np.where(where, model - true, np.nan),
            {"cmap": "RdBu_r", "clim": (-1, 1)},
            "nats",
        ),
    )
    figure, axes = show.panel(1, 3, size=(3.3, 3.0))
    for ax, (title, values, scale, label) in zip(axes[0], maps, strict=True):
        ax.set_facecolor("0.9")  # where the true density is less than exp(-6) of its peak
        image = ax.imshow(values, origin="lower", extent=(-SIDE, SIDE) * 2, interpolation="bilinear", **scale)
        ax.set(xlim=(-DRAWN, DRAWN), ylim=(-DRAWN, DRAWN), title=title, xlabel="$x_1$", aspect="equal")
        if label:
            figure.colorbar(image, ax=ax, shrink=0.75, label=label).ax.tick_params(labelsize=8)
    axes[0, 1].scatter(*chains[:500].T, s=2, c=show.COLORS[1], linewidths=0)
    axes[0, 0].set_ylabel("$x_2$")
    return figure


def likelihood_figure(outcome: run.Outcome) -> Figure:
    """Exact test likelihood over the steps, the entropy that it cannot pass, and the kernel density's."""
    figure = show.curves({"model": "test/nll"}, y_label="-log p(x) (nats a point)", title="Exact test likelihood")(
        outcome
    )
    ax, last = figure.axes[0], {name: value for row in outcome.history for name, value in row.items()}
    entropy = float(np.mean(last["test/entropy"]))
    lines = {"entropy of the truth": entropy, "kernel density": entropy + float(np.mean(last["kernel/kl"]))}
    for (label, value), style in zip(lines.items(), ("--", ":"), strict=True):
        ax.axhline(value, color="0.3", linestyle=style, linewidth=1)
        ax.annotate(
            label,
            (0.98, value),
            (0, 2 if style == ":" else -2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="bottom" if style == ":" else "top",
            fontsize=8,
        )
    _, values = outcome.curve("test/nll")
    ax.set_ylim(entropy - 0.08, entropy + 1.2 * max(0.3, np.nanmax(values[len(values) // 8 :]) - entropy))
    return figure


def energy_figure(outcome: run.Outcome) -> Figure:
    """Mean energies of data and of chains, which learning keeps together."""
    return show.curves(
        {"data": "train/data_energy", "chains": "train/sample_energy"},
        y_label="E (nats, up to a constant)",
        title="Energies in training",
    )(outcome)


if __name__ == "__main__":
    run.main(__name__)
