"""Flow matching in the plane: how many steps samples need, by how data and noise are paired.

A velocity learned by regression (Lipman et al. 2023, arXiv:2210.02747) of pairs at random, or dealt within each batch
by optimal transport (Tong et al. 2024, arXiv:2302.00482; `--couple optimal`); and a second flow of the pairs that the
first one joins (rectified flow, Liu et al. 2023, arXiv:2209.03003), whose ways are straighter. Judged by the energy
distance of samples from test points at 1 to 64 steps of Euler, beside that of training points.

    python -m experiments.flow.matching
    >>> points = run.load("runs/flow/matching").sample(500)
    python -m experiments.flow.matching --couple optimal

Expected: 0.004 by one step of the rectified flow, where the first one has 0.476 by one step and 0.003 by 64; of a first
flow whose pairs are dealt by optimal transport 0.002 by one step, and 0.001 by two. 20 seconds on two CPU cores, and by
optimal transport two minutes.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import optimizer
from adl.flow import evaluation
from adl.flow.matching import carried, independent_noise, optimal_noise, reflow
from adl.nn.mlp import TimedMLP

NUM_TEST = 2000
STEPS = (1, 2, 4, 8, 16, 64)  # of Euler, evaluations of the network a sample
FLOWS = {"first": "flow", "second": "rectified flow"}
COUPLES = {"independent": independent_noise, "optimal": optimal_noise}


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the claims are about."""

    dataset: Literal["eight_gaussians", "two_moons", "rings", "spirals", "swiss_roll"] = "two_moons"  # of toys
    couple: Literal["independent", "optimal"] = "independent"  # noise and data of the first flow
    num_steps: run.Count = 1000  # half of them of the first flow, half of the second
    batch_size: run.Count = 256
    steps_per_call: run.Count = 20
    eval_every: run.Count = 500
    num_train: run.Points = 50000  # points to learn from; 2,000 others to test
    noise: run.Positive = 0.1  # standard deviation of the Gaussian noise around the toy's centers or curves
    hidden: run.Widths = (128, 128, 128)  # widths of the velocity's hidden layers
    teacher_steps: run.Count = 20  # of Euler, by which the first flow joins noise and data for the second
    learning_rate: run.Positive = 2e-3  # of Adam
    ema: run.Rate = 0.99  # decay of the parameters' average, which is evaluated


OF = "two moons with noise 0.1; energy distance of 2,000 samples by {} of Euler from 2,000 test points; averaged "
OF += "parameters, mean over 3 seeds"
CLAIMS = (
    run.Claim(
        **{"metric": "test/second_1", "at_most": 0.005, "overrides": {"num_seeds": 3}},
        protocol=f"500 steps of flow matching, then 500 of reflow; {OF.format('one step')}",
        reference="by one step of the first flow 0.476, by 64 of it 0.003; 2,000 training points -0.0003",
    ),
    run.Claim(
        **{"metric": "test/first_2", "at_most": 0.003, "overrides": {"num_seeds": 3, "couple": "optimal"}},
        protocol=f"500 steps of flow matching, noise and data paired by optimal transport; {OF.format('two steps')}",
        reference="paired at random 0.161, and by 64 steps 0.003; 2,000 training points -0.0003",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (8,), "num_train": 64, "teacher_steps": 2}


def load(cfg: Config) -> tuple[Array, Array]:
    """Points to learn, and to test."""
    draw = getattr(data.toys, cfg.dataset)
    return tuple(draw(jax.random.key(key), n, noise=cfg.noise)[0] for key, n in enumerate((cfg.num_train, NUM_TEST)))


def build(cfg: Config, loaded: tuple[Array, Array], axis: str | None) -> run.Experiment:
    """Two flows, and how far their samples are from the data at each number of steps."""
    train, test = loaded
    model = TimedMLP(tuple(cfg.hidden), jnp.dtype(cfg.precision))
    algorithm = reflow(
        model,
        optimizer.adam(**cfg.adam),
        periods=(max(1, cfg.num_steps // 2), cfg.num_steps),
        num_steps=cfg.teacher_steps,
        couple=COUPLES[cfg.couple],
        prepare=lambda key, batch: batch["x"],
        known=lambda learner: learner.averaged,
        axis=axis,
    )

    def one(key, phases):
        field = functools.partial(model.apply, phases.state.second.averaged)
        return carried(field, jax.random.normal(key, (1, 2)), num_steps=STEPS[-1])[0]

    return run.Experiment(
        algorithm,
        data.shuffled(data.Split({"x": np.asarray(train)}), cfg.batch_size),
        probes={"test": evaluation.by_steps(model, train, test, steps=STEPS)},
        offers={"model": model, "sample": run.Offer(one, run.Repeats(), run.Cells("xy"))},
        figures=show.figures(
            quality=show.by_strength(
                STEPS,
                {word: [f"test/{flow}_{n}" for n in STEPS] for flow, word in FLOWS.items()},
                **{"x_label": "steps of Euler", "y_label": "energy distance", "x_scale": "log", "size": (2.9, 2.3)},
                title="Samples by few steps",
            ),
            learning=show.curves(
                {"flow, 2 steps": "test/first_2", "rectified, 2 steps": "test/second_2", "flow, 64": "test/first_64"},
                **{"y_label": "energy distance", "title": "While first one flow learns, then the other"},
            ),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
