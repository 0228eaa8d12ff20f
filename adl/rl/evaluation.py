"""How an agent does when it plays without learning, and what its policy says where."""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from adl.core import Key, Mean, Probe
from adl.rl.environment.world import Choices, Environment
from adl.rl.off_policy import ActorAndCritics
from adl.rl.policy import Actions, categorical
from adl.rl.rollout import Act, play
from adl.rl.worth import Worth

Policy = Callable[[Any], Act]  # of an agent: any state with a `learner`
Look = Callable[[Any, Array], tuple[Array, Array]]  # (agent, obs [..., D]) -> action and value [...] there


def greedy(model: nn.Module, actions: Actions = categorical) -> Policy:
    """The likeliest action each time, of a module that puts out `(numbers [..., P], value)`."""
    return lambda agent: lambda key, obs: (actions.mode(model.apply(agent.learner.variables, obs)[0]), ())


def without_chance(model: nn.Module, action: Callable[[Array], Array]) -> Policy:
    """What `action` makes of a module's numbers `[..., P]` each time: `sac.middle`, `td3.only`."""
    return lambda agent: lambda key, obs: (action(model.apply(agent.learner.variables, obs)), ())


def best(model: nn.Module, worth: Worth) -> Policy:
    """The action that is thought to be worth most each time, of a module whose numbers `worth` reads; without noise."""
    return lambda agent: lambda key, obs: (worth.value(model.apply(agent.learner.variables, obs)).argmax(-1), ())


def uniform(env: Environment) -> Policy:
    """Any action each time, of an environment whose vectors have finite bounds."""

    def act(key, obs):
        if isinstance(env.actions, Choices):
            return jax.random.randint(key, (len(obs),), 0, env.actions.count), ()
        low, high = env.actions
        return jax.random.uniform(key, (len(obs), *low.shape), minval=low, maxval=high), ()

    return lambda agent: act


def episodes(env: Environment, policy: Policy, *, num_episodes: int, limit: int) -> Probe:
    """Probe: "return", the mean of whole episodes; "returns" and "lengths" `[N]`; "obs" `[limit, ...]` of the first.

    Args:
      env: the environment.
      policy: of the agent.
      num_episodes: N >= 1.
      limit: steps within which every episode ends.
    """

    def probe(key: Key, agent: Any) -> dict[str, Mean | Array]:
        played = play(key, env, policy(agent), num_episodes, limit)
        told = {"returns": played.total, "lengths": played.length, "obs": played.obs[:, 0]}
        return {"return": Mean.of(played.total), **told}

    return probe


def of_critic(model: nn.Module, actions: Actions = categorical) -> Look:
    """The mean action, of vectors its first number, and the value, of a module that puts out both."""

    def look(agent, obs):
        numbers, value = model.apply(agent.learner.variables, obs)
        action = actions.mean(numbers)
        return action if action.ndim == value.ndim else action[..., 0], value

    return look


def of_twins(model: ActorAndCritics, action: Callable[[Array], Array]) -> Look:
    """The action's first number, and the lower of what both critics say of it.

    Args:
      model: of the agent.
      action: of the actor's numbers, as in `without_chance`.
    """

    def look(agent, obs):
        moves = action(model.actor.apply(agent.learner.variables, obs))
        return moves[..., 0], model.critics.apply(agent.critics.variables, obs, moves).min(0)

    return look


def chart(look: Look, obs: Array) -> Probe:
    """Probe: "action" and "value" `[...]` at observations `[..., D]`."""

    def probe(key: Key, agent: Any) -> dict[str, Array]:
        action, value = look(agent, obs)
        return {"action": action, "value": value}

    return probe


def training(key: Key, agent: Any) -> dict[str, Array]:
    """Probe: "times" and "lengths" `[E, K]` of the episodes that the agent remembers, -1 where there is none."""
    finished = agent.copies.finished
    return {"times": finished.time, "lengths": finished.length}
