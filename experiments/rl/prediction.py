"""How far back a surprise should reach: TD(lambda) on a random walk, over lambda and the step size.

Nineteen cells in a row, left or right at random; the worth of each is known. The error of the values, a root of the
mean square over the cells, after each of the first ten episodes, averaged over these and over many runs. Sutton &
Barto 2018, Reinforcement Learning, figure 12.6.

    python -m experiments.rl.prediction
    python -m experiments.rl.prediction --num_cells 39 --num_moves 8000

Expected: an error of 0.35 with lambda 0, 0.27 with 0.8, 0.50 with 1, each at its best step size. A minute on two cores.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import Key, Mean, trace
from adl.rl.environment.grid import grid_outcomes, grid_world, walk_map
from adl.rl.mdp import mdp_of, policy_value
from adl.rl.tabular import td_lambda

LAMBDAS = np.array([0.0, 0.4, 0.8, 0.9, 0.95, 1.0], np.float32)
STEP_SIZES = np.array([0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], np.float32)
NUM_EPISODES = 10


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claims are about."""

    num_cells: run.Count = 19  # of the walk, odd
    num_runs: run.Several = 100  # of each lambda and step size, on the same walks
    num_moves: run.Count = 2500  # of a run, in which its ten episodes end


CLAIMS = tuple(
    run.Claim(
        f"study/lambda_{lam}",
        "19 cells: root mean squared error of the values, mean over the first 10 episodes and 100 runs, at the best of "
        "14 step sizes",
        at_least=least,
        at_most=most,
        reference="Sutton & Barto 2018, figure 12.6, of which it is a line's lowest point",
    )
    for lam, least, most in (("0", 0.335, np.inf), ("0.8", 0.0, 0.28), ("1", 0.45, np.inf))
)
SMOKE = {"num_cells": 3, "num_runs": 2, "num_moves": 40}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """The study, and its figure."""
    labels = [f"lambda {lam:g}" for lam in LAMBDAS]
    left = show.lines(
        STEP_SIZES,
        show.Line("study/mean", labels, color="viridis"),
        **{"x_label": "step size", "title": "By lambda and step size", "y_lim": (0.2, 0.6)},
    )
    right = show.lines(
        LAMBDAS,
        show.Line("study/best", style="o-", error="study/best_error"),
        **{"x_label": "lambda", "title": "At the best step size"},
    )
    page = show.page([left, right], y_label="error of the values", legend="right")
    return run.Experiment(final={"study": functools.partial(study, cfg)}, figures=show.figures(errors=page))


def study(cfg: Config, key: Key, state: tuple) -> dict[str, Mean | jax.Array]:
    """Errors `[lambda, step size]` with their standard errors; and of each lambda at its best step size."""
    keys, error = jax.random.split(key, cfg.num_runs), functools.partial(error_of, cfg)
    every = jax.vmap(jax.vmap(jax.vmap(error, (0, None, None)), (None, None, 0)), (None, 0, None))
    found = every(keys, LAMBDAS, STEP_SIZES)  # [lambda, step size, run]
    mean, spread = found.mean(-1), found.std(-1, ddof=1) / np.sqrt(cfg.num_runs)
    at = jnp.where(jnp.isfinite(mean), mean, jnp.inf).argmin(1)  # large steps diverge
    best, best_error = (x[np.arange(len(LAMBDAS)), at] for x in (mean, spread))
    told = {f"lambda_{lam:g}": Mean.of(value) for lam, value in zip(LAMBDAS, best, strict=True)}
    return {**told, "mean": mean, "error": spread, "best": best, "best_error": best_error}


def error_of(cfg: Config, key: Key, lam: jax.Array, step_size: jax.Array) -> jax.Array:
    """`[]` error of the values in one run, mean over its first episodes."""
    grid = walk_map(cfg.num_cells)
    policy = jnp.full((len(grid.letters), 2), 0.5)
    alg = td_lambda(grid_world(grid), policy=policy, step_size=step_size, lam=lam)
    truth = policy_value(mdp_of(grid_outcomes(grid)), policy, 1.0)

    def view(state):
        away = jnp.sqrt(jnp.square(state.value - truth)[1:-1].mean())
        return away, state.copies.finished.time[0, 0] == state.copies.current.time[0]

    start_key, key = jax.random.split(key)
    _, (away, ended) = trace(alg, cfg.num_moves, view)(key, alg.init(start_key, ()))
    counts = ended & (jnp.cumsum(ended) <= NUM_EPISODES)
    return jnp.where(counts, away, 0).sum() / counts.sum()  # nan, where no episode ended


if __name__ == "__main__":
    run.main(__name__)
