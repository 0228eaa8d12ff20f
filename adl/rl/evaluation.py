"""How an agent does when it plays without learning, and what its policy says where."""

from collections.abc import Callable

import jax
from flax import linen as nn
from jax import Array

from adl.core import Key, Mean, Probe
from adl.rl.environment.world import Environment
from adl.rl.ppo import Agent
from adl.rl.rollout import Act, play
from adl.rl.worth import Worth

Policy = Callable[[Agent], Act]


def greedy(model: nn.Module) -> Policy:
    """The likeliest action each time, of a module that puts out `(logits [..., A], value)`."""
    return lambda agent: lambda key, obs: (model.apply(agent.learner.variables, obs)[0].argmax(-1), ())


def best(model: nn.Module, worth: Worth) -> Policy:
    """The action that is thought to be worth most each time, of a module whose numbers `worth` reads; without noise."""
    return lambda agent: lambda key, obs: (worth.value(model.apply(agent.learner.variables, obs)).argmax(-1), ())


def uniform(num_actions: int) -> Policy:
    """Any action each time."""
    return lambda agent: lambda key, obs: (jax.random.randint(key, (len(obs),), 0, num_actions), ())


def episodes(env: Environment, policy: Policy, *, num_episodes: int, limit: int) -> Probe:
    """Probe: "return", the mean of whole episodes; "lengths" `[N]`; and "obs" `[limit, ...]` of the first.

    Args:
      env: the environment.
      policy: of the agent.
      num_episodes: N >= 1.
      limit: steps within which every episode ends.
    """

    def probe(key: Key, agent: Agent) -> dict[str, Mean | Array]:
        played = play(key, env, policy(agent), num_episodes, limit)
        return {"return": Mean.of(played.total), "lengths": played.length, "obs": played.obs[:, 0]}

    return probe


def chart(model: nn.Module, obs: Array) -> Probe:
    """Probe: "right" `[...]`, the probability of the second action, and "value" `[...]` at observations `[..., D]`."""

    def probe(key: Key, agent: Agent) -> dict[str, Array]:
        logits, value = model.apply(agent.learner.variables, obs)
        return {"right": jax.nn.softmax(logits)[..., 1], "value": value}

    return probe


def training(key: Key, agent: Agent) -> dict[str, Array]:
    """Probe: "times" and "lengths" `[E, K]` of the episodes that the agent remembers, -1 where there is none."""
    finished = agent.copies.finished
    return {"times": finished.time, "lengths": finished.length}
