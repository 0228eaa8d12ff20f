"""A pole, balanced: proximal policy optimisation on CartPole, with the environment inside the compiled step.

Schulman et al. 2017, arXiv:1707.06347; details as numbered by Huang et al. 2022, "The 37 implementation details of
proximal policy optimization". The environment is Gymnasium's CartPole-v1, number for number.

    python -m experiments.rl
    >>> probability = run.load("runs/rl/ppo").act([[0.0, 0.0, 0.1, 0.0]])
    python -m experiments.rl --num_seeds 5

Expected: the last 100 episodes return 500, the most there is, in each of five seeds; under a minute for all five.
"""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import Algorithm, optimizer
from adl.rl import evaluation
from adl.rl.environment import cartpole
from adl.rl.environment.world import Environment
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes

SOLVED = 475  # Gymnasium's threshold for CartPole-v1, in return
SPINS = np.linspace(-1.5, 1.5, 121)  # rad/s, of the policy's map
ANGLES = np.linspace(-cartpole.ANGLE_THRESHOLD, cartpole.ANGLE_THRESHOLD, 121)  # rad
OBSERVED = ("position", "velocity", "angle", "spin")  # m, m/s, rad, rad/s
LENGTHS = {
    "uniform actions": "uniform/lengths",
    "last in training": "last/lengths",
    "likeliest actions": "greedy/lengths",
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of the run that the claim is about."""

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


CLAIMS = (
    run.Claim(
        metric="last/return",
        at_least=SOLVED,
        reduce="worst",
        overrides={"num_seeds": 5},
        protocol="mean undiscounted return of the last 100 training episodes, actions sampled, after 499,712 "
        "environment steps; each of 5 seeds",
        reference="Gymnasium calls CartPole-v1 solved at 475; 500 is the most there is",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 64, "num_envs": 8, "num_minibatches": 2, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its poles, how its last episodes went, and how it does without exploring."""
    model = ActorCritic(cartpole.NUM_ACTIONS, cfg.hidden, dtype=jnp.dtype(cfg.precision))
    env, whole = cartpole.cartpole(), {"num_episodes": 100, "limit": cartpole.LIMIT}
    spin, angle = np.meshgrid(SPINS, ANGLES, indexing="ij")
    kinds = {"uniform actions": "uniform", "likeliest actions": "greedy"}
    pole = {"reach": cartpole.X_THRESHOLD, "length": 2 * cartpole.HALF_LENGTH, "seconds": cartpole.TIME_STEP}

    def odds(key, agent, obs):
        return model.apply(agent.learner.variables, obs)[0]

    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "greedy": evaluation.episodes(env, evaluation.greedy(model), **whole),
            "uniform": evaluation.episodes(env, evaluation.uniform(env), **whole),
            "policy": evaluation.chart(model, np.stack([0 * angle, 0 * angle, angle, spin], -1, dtype=np.float32)),
            "training": evaluation.training,
        },
        offers={"model": model, "act": run.Offer(odds, run.Cells(OBSERVED), run.Choice(("left", "right")))},
        figures=show.figures(
            **{"return": show.returns(cfg.batch_size, solved=SOLVED, most=cartpole.LIMIT)},
            lengths=show.lengths(cfg.num_envs, most=cartpole.LIMIT, kinds=LENGTHS),
            policy=show.pole_policy(ANGLES, SPINS),
            episode=show.pole_episodes(kinds, **pole),
        ),
    )


def agent(cfg: Config, model: ActorCritic, env: Environment, axis: str | None) -> Algorithm:
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
        axis=axis,
    )


if __name__ == "__main__":
    run.main(__name__)
