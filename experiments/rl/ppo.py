"""A pole balanced, or any of the small control worlds: proximal policy optimisation, with the world inside the step.

Schulman et al. 2017, arXiv:1707.06347; details as numbered by Huang et al. 2022, "The 37 implementation details of
proximal policy optimization". The worlds are Gymnasium's, number for number; where actions are vectors, the policy is
Gaussian.

    python -m experiments.rl
    >>> probability = run.load("runs/rl/ppo").act([[0.0, 0.0, 0.1, 0.0]])
    python -m experiments.rl --num_seeds 5
    python -m experiments.rl --world acrobot --discount 0.99 --lam 0.95 --num_seeds 5
    python -m experiments.rl --sweep clip=0.2,1000 --num_seeds 5

Expected: the last 100 episodes return 500, the most there is, in each of five seeds; under a minute for all five. In
Acrobot likeliest actions return -82.7, mean of five seeds.
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
from adl.rl.policy import Actions, ActorCritic, actor_critic, categorical, in_unit_box
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes

LENGTHS = {
    "uniform actions": "uniform/lengths",
    "last in training": "last/lengths",
    "likeliest actions": "greedy/lengths",
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of the run that the claim is about."""

    world: Literal["cartpole", "acrobot", "mountain_car", "pendulum", "mountain_car_continuous"] = (
        "cartpole"  # to act in
    )
    num_steps: run.Count = 488  # of 1,024 environment steps: 499,712 in all
    batch_size: Annotated[run.Count, run.multiple_of("num_envs")] = 1024  # environment steps a step, of all
    num_envs: run.Split = 32  # environments side by side, over all devices
    log_every: run.Count = 8
    eval_every: run.Count = 8
    checkpoint_every: run.Count = 122
    learning_rate: run.Positive = 1e-3  # of Adam at the start, before a straight line to 0 (detail 4)
    num_epochs: run.Count = 4  # passes over the environment steps of a step
    num_minibatches: run.Count = 4  # of each pass, one update each
    discount: run.Fraction = 0.98  # of a reward one environment step later: the future is about 50 steps, or 1 s
    lam: run.Fraction = 0.8  # of the advantage estimates: 0 trusts the values, 1 the returns
    clip: run.Positive = 0.2  # change of an action's probability, as a share, from which on there is nothing to gain
    value_weight: run.NonNegative = 0.5  # of the values' halved squared error in the loss
    entropy_weight: run.NonNegative = 0.01  # of the policy's entropy in the loss; 0 can settle too early
    max_grad_norm: run.Positive = 0.5  # the gradient is scaled down to this norm (detail 11)
    hidden: run.Widths = (64, 64)  # widths of the hidden layers of the policy, and of the values


PLAYED = ", likeliest actions: mean undiscounted return of 100 new episodes after 499,712 environment steps; 5 seeds"
ACROBOT = {"world": "acrobot", "discount": 0.99, "lam": 0.95, "num_seeds": 5}
CLAIMS = (
    run.Claim(
        metric="last/return",
        at_least=475,
        reduce="worst",
        overrides={"num_seeds": 5},
        protocol="mean undiscounted return of the last 100 training episodes, actions sampled, after 499,712 "
        "environment steps; each of 5 seeds",
        reference="Gymnasium calls CartPole-v1 solved at 475; 500 is the most there is",
    ),
    run.Claim("greedy/return", f"CartPole{PLAYED}", {"num_seeds": 5}, at_least=495, reference="500 is the most"),
    run.Claim("greedy/return", f"Acrobot{PLAYED}", ACROBOT, at_least=-85, reference="Gymnasium's threshold is -100"),
)
SMOKE = {"num_steps": 4, "batch_size": 64, "num_envs": 8, "num_minibatches": 2, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its worlds, how its last episodes went, and how it does without exploring."""
    world, drawn = control.named(cfg.world), sketch(cfg.world)
    env, whole = in_unit_box(world.make()), {"num_episodes": 100, "limit": world.limit}
    model, actions = actor_critic(env, cfg.hidden, dtype=jnp.dtype(cfg.precision))
    kinds = {"uniform actions": "uniform", "likeliest actions": "greedy"}
    given = run.Choice(world.moves) if actions is categorical else run.Cells(world.moves)

    def act(key, agent, obs):
        numbers, _ = model.apply(agent.learner.variables, obs)
        return numbers if actions is categorical else actions.mean(numbers)

    return run.Experiment(
        agent(cfg, model, env, actions, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "greedy": evaluation.episodes(env, evaluation.greedy(model, actions), **whole),
            "uniform": evaluation.episodes(env, evaluation.uniform(env), **whole),
            "policy": evaluation.chart(evaluation.of_critic(model, actions), drawn.plane.obs),
            "training": evaluation.training,
        },
        offers={"model": model, "act": run.Offer(act, run.Cells([*world.observed]), given)},
        figures=show.figures(
            **{"return": show.returns(cfg.batch_size, **judged(world))},
            lengths=show.lengths(cfg.num_envs, most=world.limit, kinds=LENGTHS),
            policy=show.policy_map(**drawn.plane._asdict(), action=action_scale(world)),
            episode=show.episode_strip(kinds, **drawn._asdict()),
        ),
    )


def agent(cfg: Config, model: ActorCritic, env: Environment, actions: Actions, axis: str | None) -> Algorithm:
    """PPO by Adam on a straight line to 0, with the gradient's norm bounded."""
    num_updates = cfg.num_steps * cfg.num_epochs * cfg.num_minibatches
    shape = optimizer.linear(num_updates)
    return ppo(
        model,
        optimizer.adam(cfg.learning_rate, shape, clip=cfg.max_grad_norm, eps=1e-5),  # detail 3
        env=env,
        num_envs=cfg.num_envs,
        horizon=cfg.batch_size // cfg.num_envs,
        num_epochs=cfg.num_epochs,
        num_minibatches=cfg.num_minibatches,
        discount=cfg.discount,
        lam=cfg.lam,
        clip=cfg.clip,
        value_weight=cfg.value_weight,
        entropy_weight=cfg.entropy_weight,
        actions=actions,
        axis=axis,
    )


if __name__ == "__main__":
    run.main(__name__)
