"""A pendulum swung up, or a car out of its valley, by numbers instead of choices: SAC and TD3 from a replay.

SAC (Haarnoja et al. 2018, arXiv:1812.05905) is as random as the return allows; TD3 (Fujimoto et al. 2018,
arXiv:1802.09477) is not, but for the noise on its actions. Replay, worlds and networks are in one compiled step.

    python -m experiments.rl.continuous --num_seeds 5
    >>> torque = run.load("runs/rl/continuous").act([[-1.0, 0.0, 0.1]])
    python -m experiments.rl.continuous --method td3 --num_seeds 5
    python -m experiments.rl.continuous --world mountain_car_continuous --hold 10 --discount 0.99 --num_seeds 5

Expected, means of 5 seeds: the pendulum returns -148 +- 5 by SAC and -146 +- 5 by TD3 after 33,000 environment steps;
the car 94.3 +- 0.1, where random pushes that are held as long return 47. Four minutes for all five on two busy cores.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer
from adl.rl import evaluation
from adl.rl.environment import control
from adl.rl.environment.sketch import action_scale, judged, sketch
from adl.rl.environment.world import Environment
from adl.rl.environment.wrappers import action_repeat
from adl.rl.off_policy import ActorAndCritics, networks
from adl.rl.policy import in_unit_box
from adl.rl.rollout import last_episodes
from adl.rl.sac import middle, sac
from adl.rl.td3 import only, td3


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of a run that a claim is about."""

    world: Literal["pendulum", "mountain_car_continuous"] = "pendulum"  # to act in
    method: Literal["sac", "td3"] = "sac"  # that learns
    num_steps: run.Count = 8000  # updates of the policy
    batch_size: run.Split = 128  # moves of the replay an update of the critics
    num_envs: run.Split = 4  # environments side by side, over all devices
    capacity: Annotated[run.Count, run.multiple_of("num_envs")] = 50_000  # moves that the replay holds
    warmup: run.Count = 250  # uniform moves of each environment before the first update
    hold: run.Count = 1  # environment steps that an action lasts; more explore farther
    steps_per_call: run.Count = 100
    log_every: run.Count = 100
    eval_every: run.Count = 200
    checkpoint_every: run.Count = 2000
    learning_rate: run.Positive = 1e-3  # of Adam, of all networks and of the temperature
    discount: run.Fraction = 0.98  # of a reward one move later
    decay: run.Fraction = 0.99  # of the networks that targets are made by, an update
    noise: run.NonNegative = 0.2  # of TD3 as it plays, standard deviation as a share of the largest action
    hidden: run.Widths = (64, 64)  # widths of the hidden layers of each network


PROTOCOL = "mean of 5 seeds; mean undiscounted return of 100 new episodes without noise, after "
SWUNG = "energy shaping with a linear controller at the top returns about -150; random moves about -1,200"
CAR = {"world": "mountain_car_continuous", "hold": 10, "discount": 0.99}
CLAIMS = tuple(
    run.Claim("greedy/return", what + PROTOCOL + steps, {**more, "num_seeds": 5}, at_least=bound, reference=reference)
    for what, steps, more, bound, reference in (
        ("Pendulum, SAC, ", "33,000 environment steps", {}, -170, SWUNG),
        ("Pendulum, TD3, ", "33,000 environment steps", {"method": "td3"}, -170, SWUNG),
        ("the car, SAC, each action held for 10 steps, ", "330,000 of these", CAR, 90, "Gymnasium's threshold is 90"),
    )
)
SMOKE = {"num_steps": 4, "batch_size": 16, "num_envs": 4, "capacity": 64, "warmup": 4, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent and its replay, how its last episodes went, and how it does without noise."""
    world, drawn = control.named(cfg.world), sketch(cfg.world)
    env = action_repeat(in_unit_box(world.make()), cfg.hold)
    whole = {"num_episodes": 100, "limit": -(-world.limit // cfg.hold)}
    numbers, action = (2, middle) if cfg.method == "sac" else (1, only)
    model = networks(env, numbers, cfg.hidden, jnp.dtype(cfg.precision))
    kinds = {"uniform actions": "uniform", "without noise": "greedy"}
    values = {"told by the critics": "train/value"}

    def act(key, agent, obs):
        return action(model.actor.apply(agent.learner.variables, obs))

    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "greedy": evaluation.episodes(env, evaluation.without_chance(model.actor, action), **whole),
            "uniform": evaluation.episodes(env, evaluation.uniform(env), **whole),
            "policy": evaluation.chart(evaluation.of_twins(model, action), drawn.plane.obs),
        },
        offers={"model": model, "act": run.Offer(act, run.Cells([*world.observed]), run.Cells(world.moves))},
        figures=show.figures(
            **{"return": show.returns(cfg.num_envs * cfg.hold, **judged(world))},
            policy=show.policy_map(**drawn.plane._asdict(), action=action_scale(world)),
            episode=show.episode_strip(kinds, **drawn.held(cfg.hold)._asdict()),
            value=show.curves(values, y_label="value of the moves of an update", title="Value"),
        ),
    )


def agent(cfg: Config, model: ActorAndCritics, env: Environment, axis: str | None) -> Algorithm:
    """The method, by Adam."""
    more = {"noise": cfg.noise} if cfg.method == "td3" else {}
    return {"sac": sac, "td3": td3}[cfg.method](
        model,
        optimizer.adam(cfg.learning_rate),
        env=env,
        num_envs=cfg.num_envs,
        capacity=cfg.capacity,
        batch_size=cfg.batch_size,
        warmup=cfg.warmup,
        discount=cfg.discount,
        decay=cfg.decay,
        axis=axis,
        **more,
    )


if __name__ == "__main__":
    run.main(__name__)
