"""PPO on Gymnasium's CartPole-v1 in PyTorch, in the manner of CleanRL's `ppo.py`: a loop over vectorised environments.

Huang et al. 2022, JMLR 23(274), "CleanRL". As there, an episode that is cut counts as one that ended.
"""

from collections.abc import Iterator

import gymnasium
import jax
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn
from torch.distributions import Categorical

from adl.core import standardise
from adl.rl.environment.cartpole import NUM_ACTIONS
from adl.rl.policy import ActorCritic, categorical
from adl.rl.ppo import Moves, ppo_loss
from experiments.rl.ppo import Config


class Agent(nn.Module):
    """Two perceptrons with tanh, initialised as in `adl.rl.policy.ActorCritic`."""

    def __init__(self, hidden: tuple[int, ...]):
        super().__init__()

        def perceptron(size: int, gain: float) -> nn.Sequential:
            widths, layers = (4, *hidden), []
            for narrow, wide in zip(widths, hidden, strict=False):
                layers += [_linear(narrow, wide, 2**0.5), nn.Tanh()]
            return nn.Sequential(*layers, _linear(widths[-1], size, gain))

        self.actor, self.critic = perceptron(2, 0.01), perceptron(1, 1.0)

    def forward(self, obs: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        """Policy and value `[B]` of observations `[B, 4]`."""
        return Categorical(logits=self.actor(obs)), self.critic(obs).squeeze(-1)


def loss(agent: Agent, cfg: Config, obs, action, log_prob, advantage, target) -> torch.Tensor:
    """The clipped loss of a minibatch."""
    policy, value = agent(obs)
    ratio = (policy.log_prob(action) - log_prob).exp()
    advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
    surrogate = torch.max(-advantage * ratio, -advantage * ratio.clamp(1 - cfg.clip, 1 + cfg.clip)).mean()
    return (
        surrogate
        + cfg.value_weight * 0.5 * ((value - target) ** 2).mean()
        - cfg.entropy_weight * policy.entropy().mean()
    )


def train(cfg: Config) -> Iterator[list[float]]:
    """The whole training, a step of `cfg.batch_size` environment steps at a time: returns of the episodes in it."""
    torch.set_num_threads(1)  # for networks as small, two are no faster, and on a busy machine far slower
    torch.manual_seed(cfg.seed)
    kinds = [lambda: gymnasium.make("CartPole-v1")] * cfg.num_envs
    envs = SyncVectorEnv(kinds, autoreset_mode=AutoresetMode.SAME_STEP)
    agent = Agent(cfg.hidden)
    optimizer = torch.optim.Adam(agent.parameters(), lr=cfg.learning_rate, eps=1e-5)
    horizon = cfg.batch_size // cfg.num_envs
    total, next_obs = np.zeros(cfg.num_envs), torch.from_numpy(envs.reset(seed=cfg.seed)[0])
    obs = torch.zeros(horizon, cfg.num_envs, 4)
    action, log_prob, reward, done, value = (torch.zeros(horizon, cfg.num_envs) for _ in range(5))
    for step in range(cfg.num_steps):
        optimizer.param_groups[0]["lr"] = cfg.learning_rate * (1 - step / cfg.num_steps)
        returns = []
        for t in range(horizon):
            obs[t] = next_obs
            with torch.no_grad():
                policy, value[t] = agent(next_obs)
                action[t] = chosen = policy.sample()
                log_prob[t] = policy.log_prob(chosen)
            seen, gained, terminated, truncated, _ = envs.step(chosen.numpy())
            ended = terminated | truncated
            next_obs, reward[t], done[t] = (torch.from_numpy(x) for x in (seen, gained, ended))
            total += gained
            returns += total[ended].tolist()
            total[ended] = 0
        with torch.no_grad():
            following, advantage = agent(next_obs)[1], torch.zeros_like(reward)
            last = torch.zeros(cfg.num_envs)
            for t in reversed(range(horizon)):
                going = cfg.discount * (1 - done[t])
                last = reward[t] + going * following - value[t] + going * cfg.lam * last
                advantage[t], following = last, value[t]
        rows = [x.flatten(0, 1) for x in (obs, action, log_prob, advantage, advantage + value)]
        for _ in range(cfg.num_epochs):
            for index in torch.randperm(cfg.batch_size).chunk(cfg.num_minibatches):
                optimizer.zero_grad()
                loss(agent, cfg, *(x[index] for x in rows)).backward()
                nn.utils.clip_grad_norm_(agent.parameters(), cfg.max_grad_norm)
                optimizer.step()
        yield returns


def require_equal_losses(cfg: Config) -> None:
    """Raises AssertionError unless PPO here and in `adl` have the same loss, at the same parameters and moves."""
    rng = np.random.default_rng(0)
    obs, action = rng.normal(size=(64, 4)).astype("f"), rng.integers(NUM_ACTIONS, size=64)
    log_prob, advantage, target = -rng.uniform(0.3, 1.2, 64).astype("f"), *rng.normal(size=(2, 64)).astype("f")
    model = ActorCritic(NUM_ACTIONS, cfg.hidden)
    variables = model.init(jax.random.key(0), obs)
    logits, value = model.apply(variables, obs)
    weights = {"clip": cfg.clip, "value_weight": cfg.value_weight, "entropy_weight": cfg.entropy_weight}
    moves = Moves(obs, action, log_prob, standardise(advantage), target)
    ours = ppo_loss(moves, categorical.log_prob(action, logits), value, categorical.entropy(logits), **weights)
    agent = Agent(cfg.hidden)
    for name in ("actor", "critic"):
        linear = [layer for layer in getattr(agent, name) if isinstance(layer, nn.Linear)]
        for layer, theirs in zip(variables["params"][name].values(), linear, strict=True):
            theirs.weight.data = torch.tensor(np.asarray(layer["kernel"]).T)
            theirs.bias.data = torch.tensor(np.asarray(layer["bias"]))
    theirs = loss(agent, cfg, *map(torch.from_numpy, (obs, action, log_prob, advantage, target)))
    np.testing.assert_allclose(ours["loss"].mean(), theirs.item(), rtol=1e-4)


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
