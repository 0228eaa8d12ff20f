"""Along the policy's gradient: REINFORCE with and without a baseline, and actor-critic, side by side on the same moves.

REINFORCE (Williams 1992, Machine Learning 8) waits for the end of an episode; its baseline, a learned value, takes away
variance and leaves the mean. A2C (Mnih et al. 2016, arXiv:1602.01783) asks the value instead of waiting. An update of
REINFORCE is an episode of each copy; in as many moves of the world A2C makes many.

    python -m experiments.rl.policy --num_seeds 5
    >>> probability = run.load("runs/rl/policy").act([[0.0, 0.0, 0.1, 0.0]])

Expected: after 600,000 environment steps, means of five seeds, likeliest actions return 500, the most there is, by A2C,
497 by REINFORCE with its baseline, 476 without. 6 minutes for all five on two busy cores.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, beside, optimizer, repeated
from adl.core.probe import of_one
from adl.rl import evaluation
from adl.rl.a2c import a2c
from adl.rl.environment import control
from adl.rl.environment.sketch import action_scale, judged, sketch
from adl.rl.environment.world import Environment
from adl.rl.policy import Actions, ActorCritic, actor_critic, categorical, in_unit_box
from adl.rl.reinforce import reinforce
from adl.rl.rollout import last_episodes

Method = Literal["plain", "baseline", "a2c"]
TITLES = {"plain": "REINFORCE", "baseline": "REINFORCE, baseline", "a2c": "A2C"}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of the run that the claims are about."""

    world: Literal["cartpole", "acrobot", "mountain_car", "pendulum"] = "cartpole"  # to act in
    methods: tuple[Method, ...] = tuple(TITLES)  # that learn
    num_steps: run.Count = 150  # of an episode of each environment at its longest: 4,000 environment steps
    batch_size: run.Split = 8  # environments side by side, over all devices
    log_every: run.Count = 5
    eval_every: run.Count = 5
    checkpoint_every: run.Count = 75
    learning_rate: run.Positive = 3e-3  # of Adam at the start, before a straight line to 0
    horizon: Annotated[run.Count, run.divisor_of("longest")] = 20  # environment steps of each before A2C updates
    longest: run.Count = 500  # environment steps of an episode; what is longer is cut
    discount: run.Fraction = 0.99  # of a reward one environment step later
    lam: run.Fraction = 0.95  # of A2C's advantages: 0 trusts the values, 1 the returns
    value_weight: run.NonNegative = 0.5  # of the values' halved squared error in the loss
    entropy_weight: run.NonNegative = 0.01  # of the policy's entropy in the loss of A2C
    value_unit: run.Positive = 50.0  # of the values: about as large as returns
    hidden: run.Widths = (64, 64)  # widths of the hidden layers of the policy, and of the values


CLAIMS = tuple(
    run.Claim(
        metric=f"{name}/return",
        at_least=bound,
        overrides={"num_seeds": 5},
        protocol="CartPole, mean of 5 seeds; mean undiscounted return of 100 new episodes, likeliest actions, after "
        "600,000 environment steps",
        reference="Gymnasium calls CartPole-v1 solved at 475; 500 is the most there is",
    )
    for name, bound in {"a2c": 495, "baseline": 490}.items()
)
SMOKE = {"num_steps": 4, "batch_size": 4, "methods": ("baseline", "a2c"), "longest": 40, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """The methods, how their last episodes went, and how they do without exploring."""
    world, drawn = control.named(cfg.world), sketch(cfg.world)
    env, whole = in_unit_box(world.make()), {"num_episodes": 100, "limit": world.limit}
    model, actions = actor_critic(env, cfg.hidden, dtype=jnp.dtype(cfg.precision), value_unit=cfg.value_unit)
    last, best = cfg.methods[-1], evaluation.greedy(model, actions)
    chart = evaluation.chart(evaluation.of_critic(model, actions), drawn.plane.obs)
    given = run.Choice(world.moves) if actions is categorical else run.Cells(world.moves)

    def act(key, agents, obs):
        numbers, _ = model.apply(agents[last].learner.variables, obs)
        return numbers if actions is categorical else actions.mean(numbers)

    def latest(key, agent):
        return {"return": last_episodes(agent.copies)["return"]}

    kinds = {TITLES[name]: name for name in cfg.methods}
    curves = {TITLES[name]: f"last_{name}/return" for name in cfg.methods}
    return run.Experiment(
        beside({name: method(cfg, name, model, env, actions, axis) for name in cfg.methods}),
        probes={f"last_{name}": of_one(name, latest) for name in cfg.methods},
        final={
            **{name: of_one(name, evaluation.episodes(env, best, **whole)) for name in cfg.methods},
            "policy": of_one(last, chart),
        },
        offers={"model": model, "act": run.Offer(act, run.Cells([*world.observed]), given)},
        figures=show.figures(
            **{"return": show.returns(cfg.batch_size * cfg.longest, **judged(world), kinds=curves)},
            policy=show.policy_map(**drawn.plane._asdict(), action=action_scale(world), played=last),
            episode=show.episode_strip(kinds, **drawn._asdict()),
        ),
    )


def method(
    cfg: Config, name: Method, model: ActorCritic, env: Environment, actions: Actions, axis: str | None
) -> Algorithm:
    """One of them, by Adam on a straight line to 0; a step of each is as many moves of the world."""
    count = cfg.longest // cfg.horizon if name == "a2c" else 1
    of = {"env": env, "num_envs": cfg.batch_size, "actions": actions, "discount": cfg.discount, "axis": axis}
    shape = optimizer.linear(cfg.num_steps * count)
    tx = optimizer.adam(cfg.learning_rate, shape)
    if name == "a2c":
        weights = {"value_weight": cfg.value_weight, "entropy_weight": cfg.entropy_weight}
        return repeated(a2c(model, tx, horizon=cfg.horizon, lam=cfg.lam, **weights, **of), count)
    baseline = "value" if name == "baseline" else "none"
    return reinforce(model, tx, horizon=cfg.longest, baseline=baseline, value_weight=cfg.value_weight, **of)


if __name__ == "__main__":
    run.main(__name__)
