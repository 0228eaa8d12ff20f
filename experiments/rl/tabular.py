"""The cliff and the frozen lake: Q-learning, SARSA and expected SARSA side by side, beside what planning finds.

On the cliff Q-learning learns the shortest path, along the edge, and falls off it while it explores; SARSA learns that
it explores, and goes round. Sutton & Barto 2018, example 6.6 and sections 6.4 to 6.6; the worlds are Gymnasium's.

    python -m experiments.rl.tabular
    >>> odds = run.load("runs/rl/tabular").act([[3, 0], [2, 0]])
    python -m experiments.rl.tabular --world large_lake --num_envs 64 --epsilon 0.3 --step_size 1 --decay 0.6

Expected: on the cliff Q-learning returns -54 while it explores, SARSA -25, expected SARSA -20; their best actions -13,
-17 (one seed of ten walks in a circle) and -15. On the large lake, with --discount 0.99, Q-learning's best actions
arrive 86 times of 100, as planning's. Half a minute for ten seeds on the cliff, two minutes on the lake, two cores.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import BadInput, Key, Mean, beside, reporting, until_still
from adl.rl import tabular
from adl.rl.dynamic_programming import Planned, value_iteration
from adl.rl.environment.grid import MAPS, grid_outcomes, grid_world
from adl.rl.mdp import mdp_of, policy_return

BACKUPS = {"q_learning": tabular.q_learning, "sarsa": tabular.sarsa, "expected_sarsa": tabular.expected_sarsa}
TITLES = {"q_learning": "Q-learning", "sarsa": "SARSA", "expected_sarsa": "expected SARSA"}
DIRECTIONS = {"U": "up", "R": "right", "D": "down", "L": "left"}

Backed = Literal["q_learning", "sarsa", "expected_sarsa"]


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of the run that the claims about the cliff are about."""

    num_steps: run.Count = 20_000  # of one move of each copy
    steps_per_call: run.Count = 200
    log_every: run.Count = 1_000
    eval_every: run.Count = 1_000
    checkpoint_every: run.Count = 20_000
    world: Literal["cliff", "lake", "large_lake", "maze"] = "cliff"  # a map of `rl.environment.grid`
    methods: tuple[Backed, ...] = ("q_learning", "sarsa", "expected_sarsa")  # that learn
    num_envs: run.Split = 8  # copies side by side, over all devices
    step_size: run.Fraction = 0.5  # of a move towards what was seen
    decay: run.Fraction = 0.0  # the n-th move of a number is by step_size / n^decay
    epsilon: run.Fraction = 0.1  # share of moves that are any action
    discount: run.Fraction = 1.0  # of a reward one move later


SEEDS = {"num_seeds": 10}
LAKE = {"world": "large_lake", "num_envs": 64, "discount": 0.99, "epsilon": 0.3, "step_size": 1.0, "decay": 0.6}
SUTTON, SEIJEN = "Sutton & Barto 2018, example 6.6: about {}", "van Seijen et al. 2009, figure 1: above both others"
ONLINE = "cliff: return of training episodes, the last 1,000 of 20,000 moves of each of 8 copies; mean of 10 seeds"
EXACT = "{}: greedy policy after 20,000 moves of each copy, exactly, episodes cut after 200 moves; {} of 10 seeds"
KNOWN = "planning with the same discount: 0.863; any action: 0.002"
CLAIMS = (
    run.Claim("train/sarsa_return", ONLINE, SEEDS, at_least=-27, reference=SUTTON.format(-25)),
    run.Claim("train/expected_sarsa_return", ONLINE, SEEDS, at_least=-22, reference=SEIJEN),
    run.Claim("train/q_learning_return", ONLINE, SEEDS, at_most=-46, reference=SUTTON.format(-48)),
    run.Claim("greedy/q_learning", EXACT.format("cliff", "each"), SEEDS, at_least=-13, reduce="worst"),
    run.Claim(
        "greedy/q_learning", EXACT.format("8x8 lake", "mean"), {**SEEDS, **LAKE}, at_least=0.855, reference=KNOWN
    ),
)
SMOKE = {"num_steps": 4}
SWEEP = "step_size=0.5,0.1"  # of the tests


def load(cfg: Config) -> Planned:
    """What planning finds."""
    process = mdp_of(grid_outcomes(MAPS[cfg.world]))
    reach = until_still(value_iteration(process, discount=min(cfg.discount, 0.999)), tolerance=1e-6, max_steps=10_000)
    return jax.tree.map(np.asarray, reach(jax.random.key(0), ())[0])


def build(cfg: Config, loaded: Planned, axis: str | None) -> run.Experiment:
    """Learners of each kind, and how their greedy policies do, exactly."""
    grid = MAPS[cfg.world]
    process, num_states = mdp_of(grid_outcomes(grid)), len(grid.letters)
    options = {"step_size": cfg.step_size, "decay": cfg.decay, "epsilon": cfg.epsilon, "discount": cfg.discount}
    options |= {"num_states": num_states, "num_envs": cfg.num_envs, "axis": axis}
    world, first, backups = grid_world(grid), cfg.methods[0], {name: BACKUPS[name] for name in cfg.methods}
    learners = {name: tabular.td_control(world, backup=backup, **options) for name, backup in backups.items()}

    def greedy(key: Key, state: dict[str, tabular.Tabular]) -> dict[str, Mean | jax.Array]:
        """Expected returns of the best actions by what each has learned, of planning, and of any action."""
        best = jax.nn.one_hot(loaded.action, len(grid.directions))
        policies = {name: tabular.mostly_greedy(agent.q, 0.0) for name, agent in state.items()}
        policies |= {"planning": best, "uniform": jnp.full(best.shape, 1 / best.shape[1])}
        return {name: Mean.of(policy_return(process, policy, limit=grid.limit)) for name, policy in policies.items()}

    def odds(key: Key, state: dict[str, tabular.Tabular], cell: jax.Array) -> jax.Array:
        at = (cell[:, 0] * grid.shape[1] + cell[:, 1]).astype(jnp.int32)
        return jnp.log(tabular.mostly_greedy(state[first].q[at], 1e-6))

    names = [DIRECTIONS[letter] for letter in grid.directions]
    worths, online, exact = (
        {TITLES[name]: metric.format(name) for name in backups}
        for metric in ("worth/{}", "train/{}_return", "greedy/{}")
    )
    words = {"y_label": "return of an episode", "x_label": "moves of each copy"}
    best = {"references": {"planning": "greedy/planning"}, "settled": 0.1}
    return run.Experiment(
        reporting(beside(learners), "loss", "*_return", "*_length"),
        probes={"greedy": greedy},
        final={"worth": lambda key, state: {name: agent.q for name, agent in state.items()}},
        offers={"act": run.Offer(odds, run.Cells(("row", "column"), inside(grid.shape)), run.Choice(names))},
        figures=show.figures(
            policies=show.grid_policies(grid.rows, grid.directions, worths, still="GHC#"),
            online=show.curves(online, title="While exploring", **words),
            greedy=show.curves(exact, title="By the best actions", **best, **words),
        ),
    )


def inside(shape: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
    """Of cells `[B, 2]`, that they are on the map."""

    def checked(cell: np.ndarray) -> np.ndarray:
        if not ((cell == np.floor(cell)) & (cell >= 0) & (cell < shape)).all():
            raise BadInput(f"no such cell: rows are 0 ... {shape[0] - 1}, columns 0 ... {shape[1] - 1}")
        return cell

    return checked


if __name__ == "__main__":
    run.main(__name__)
