"""How an agent does when it plays without learning, and what its policy says where."""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from adl.core import Key, Mean, Probe
from adl.rl.environment.world import Choices, Environment
from adl.rl.rollout import Act, play
from adl.rl.worth import Worth

Policy = Callable[[Any], Act]  # of an agent: any state with a `learner`


def greedy(model: nn.Module) -> Policy:
    """The likeliest action each time, of a module that puts out `(logits [..., A], value)`."""
    return lambda agent: lambda key, obs: (model.apply(agent.learner.variables, obs)[0].argmax(-1), ())


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
    """Probe: "return", the mean of whole episodes; "lengths" `[N]`; and "obs" `[limit, ...]` of the first.

    Args:
      env: the environment.
      policy: of the agent.
      num_episodes: N >= 1.
      limit: steps within which every episode ends.
    """

    def probe(key: Key, agent: Any) -> dict[str, Mean | Array]:
        played = play(key, env, policy(agent), num_episodes, limit)
        return {"return": Mean.of(played.total), "lengths": played.length, "obs": played.obs[:, 0]}

    return probe


def chart(model: nn.Module, obs: Array) -> Probe:
    """Probe: "right" `[...]`, the probability of the second action, and "value" `[...]` at observations `[..., D]`."""

    def probe(key: Key, agent: Any) -> dict[str, Array]:
        logits, value = model.apply(agent.learner.variables, obs)
        return {"right": jax.nn.softmax(logits)[..., 1], "value": value}

    return probe


def training(key: Key, agent: Any) -> dict[str, Array]:
    """Probe: "times" and "lengths" `[E, K]` of the episodes that the agent remembers, -1 where there is none."""
    finished = agent.copies.finished
    return {"times": finished.time, "lengths": finished.length}
