"""Densities of the plane by flows: exact, normalised, and judged beside the density that the points were drawn from.

Neural spline couplings (Durkan et al. 2019, arXiv:1906.04032); by `--flow` also NICE, RealNVP, MAF, IAF (slow: its
density takes a pass a number) and a continuous flow (extra `ode`). The plane is small enough to integrate over: the
density's mass must be 1. Beside it: a kernel density of the same points, at the best bandwidth on the test.

    python -m experiments.flow
    >>> heights = run.load("runs/flow/plane").log_density(places)
    python -m experiments.flow --dataset eight_gaussians --flow maf_spline

Expected, three seeds: KL 0.0028 on two moons (kernel density 0.028), 0.0078 on eight Gaussians, mass 1.00; a minute on
2 cores.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl import data, run, show
from adl.core import optimizer
from adl.flow import autoregressive, continuous, coupling, evaluation, spline
from adl.flow.likelihood import Flow, flow
from adl.measure import plane
from adl.nn.mlp import MLP

NUM_TEST = 10000
SIDE, DRAWN = 6.0, 4.2  # of the plane: it is integrated over [-6, 6] x [-6, 6]; in figures
BANDWIDTHS = np.geomspace(0.02, 0.3, 8)  # tried for the kernel density
CENTERS = 2000  # of the kernel density, at most: training points
EIGHT = {"dataset": "eight_gaussians"}
PLACES = run.Cells("xy"), run.Cells()  # what a density takes, and what it gives


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the first claim is about."""

    dataset: Literal["eight_gaussians", "two_moons", "rings", "spirals", "swiss_roll"] = "two_moons"  # of toys
    flow: Literal["nice", "real_nvp", "spline", "maf", "maf_spline", "iaf", "ode"] = "spline"  # its layers
    num_steps: run.Count = 3000
    batch_size: run.Count = 512
    steps_per_call: run.Count = 20
    eval_every: run.Count = 500
    num_train: run.Points = 100000  # points to learn from; 10,000 others to test
    noise: run.Positive = 0.2  # standard deviation of the Gaussian noise around the toy's centers or curves
    num_layers: run.Count = 6  # of the flow; of one that is continuous there is one
    hidden: run.Widths = (64, 64)  # widths of each layer's network
    num_bins: run.Count = 8  # pieces of a spline over [-4, 4]
    learning_rate: run.Positive = 2e-3  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.995  # decay of the parameters' average, which is evaluated


CLAIMS = tuple(
    run.Claim(
        **{"metric": "test/kl", "at_most": bound},
        overrides={"num_seeds": 3, **overrides},
        protocol=f"{toy} with noise 0.2; 100,000 points to learn from, 10,000 to test; KL(true || model) in nats, the "
        "mean over test points of log true(x) - log p(x) by the flow's own density; averaged parameters, 3 seeds",
        reference=f"kernel density of 2,000 points, at the best of 8 bandwidths on the test points: {kernel}",
    )
    for toy, overrides, bound, kernel in (("two moons", {}, 0.0035, 0.028), ("eight Gaussians", EIGHT, 0.0085, 0.042))
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (8,), "num_layers": 2, "num_bins": 3, "num_train": 64}


def load(cfg: Config) -> plane.ToyPoints:
    """Points to learn, points to test, and how likely these are."""
    draw = getattr(data.toys, cfg.dataset)
    return plane.toy_points(draw, cfg.num_train, NUM_TEST, noise=cfg.noise, limit=SIDE)


def build(cfg: Config, loaded: plane.ToyPoints, axis: str | None) -> run.Experiment:
    """A flow of the plane, its exact likelihood beside the truth's, and its samples."""
    model = network(cfg)
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps), clip=5.0)
    draw = evaluation.sampled(model, (2,), num=500)

    def log_density(state, x):
        return model.apply(state.averaged, x, method="log_prob")

    seen = {"limit": SIDE, "points": lambda state: draw(jax.random.key(0), state)}
    one = run.Offer(lambda key, state: evaluation.sampled(model, (2,), num=1)(key, state)[0], run.Repeats(), PLACES[0])
    centers = loaded.train[:CENTERS]
    return run.Experiment(
        flow(model, tx, prepare=lambda key, batch: batch["x"], axis=axis),
        data.shuffled(data.Split({"x": loaded.train}), cfg.batch_size),
        probes={"test": evaluation.against_truth(log_density, loaded.test, loaded.log_test, limit=SIDE)},
        final={
            "density": plane.density_map(log_density, loaded.log_plane, **seen),
            "kernel": plane.kernel_density(centers, loaded.test, loaded.log_test, bandwidths=BANDWIDTHS),
        },
        offers={"model": model, "log_density": run.Offer(lambda key, *of: log_density(*of), *PLACES), "sample": one},
        figures=show.figures(
            density=show.densities(limit=SIDE, drawn=DRAWN, points="samples"),
            likelihood=show.curves(
                {"flow": "test/nll"},
                **{"title": "Exact test likelihood", "y_label": "-log p(x) (nats a point)", "settled": 1 / 8},
                references={"entropy of the truth": "test/entropy", "kernel density": "kernel/nll"},
            ),
        ),
    )


def network(cfg: Config) -> Flow:
    """The flow of that name."""
    dtype = jnp.dtype(cfg.precision)
    bends = spline.spline_move(cfg.num_bins) if "spline" in cfg.flow else None
    moves = {"nice": coupling.additive_move, "real_nvp": coupling.affine_move(), "spline": bends}
    if cfg.flow in moves:
        net = coupling.row_network(cfg.hidden, dtype=dtype)
        return Flow(coupling.couplings(cfg.num_layers, net, move=moves[cfg.flow]))
    if cfg.flow == "ode":
        return Flow((continuous.ODE(MLP((*cfg.hidden, 2), activation=nn.tanh, dtype=dtype)),))
    make = autoregressive.iaf if cfg.flow == "iaf" else autoregressive.maf
    return Flow(make(cfg.num_layers, cfg.hidden, move=bends, dtype=dtype))


if __name__ == "__main__":
    run.main(__name__)
