"""DQN on Gymnasium's CartPole-v1 in PyTorch, in the manner of CleanRL's `dqn.py`, for several environments at once.

Huang et al. 2022, JMLR 23(274), "CleanRL".
"""

from collections.abc import Iterator

import gymnasium
import jax
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn

from adl.rl.dqn import of_action
from adl.rl.networks import QNetwork
from adl.rl.worth import expected
from experiments.rl.value import Config


def network(hidden: tuple[int, ...]) -> nn.Sequential:
    """A perceptron from observations `[B, 4]` to what both actions are worth `[B, 2]`."""
    widths, layers = (4, *hidden), []
    for narrow, wide in zip(widths, hidden, strict=False):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 2))


def loss(model: nn.Module, target: nn.Module, cfg: Config, obs, action, reward, next_obs, terminated) -> torch.Tensor:
    """Half the mean square of the temporal-difference error."""
    with torch.no_grad():
        wanted = reward + cfg.discount * (1 - terminated) * target(next_obs).max(1).values
    return ((model(obs).gather(1, action[:, None]).squeeze(1) - wanted) ** 2).mean() / 2


def train(cfg: Config) -> Iterator[list[float]]:
    """The whole training, a step of `num_envs * horizon` moves at a time: returns of the episodes in it."""
    torch.set_num_threads(1)  # for networks as small, two are no faster, and on a busy machine far slower
    torch.manual_seed(cfg.seed)
    rng = np.random.default_rng(cfg.seed)
    model, target = network(cfg.hidden), network(cfg.hidden)
    target.load_state_dict(model.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.learning_rate)
    play = moves(cfg, model, rng)
    num_rows, updates = cfg.capacity // cfg.num_envs, 0
    memory = [np.zeros((num_rows, cfg.num_envs, *tail), kind) for tail, kind in ROW]
    falls, count = cfg.explore * cfg.num_steps * cfg.num_envs * cfg.horizon, 0
    next(play)

    def remember(num_moves: int) -> list[float]:
        nonlocal count
        ended = []
        for _ in range(num_moves):
            epsilon = 1 - (1 - cfg.epsilon) * min(max(count * cfg.num_envs - cfg.warmup, 0) / falls, 1)
            *row, returns = play.send(epsilon)
            for array, new in zip(memory, row, strict=True):
                array[count % num_rows] = new
            count, ended = count + 1, ended + returns
        return ended

    remember(cfg.warmup // cfg.num_envs)
    for step in range(cfg.num_steps):
        optimizer.param_groups[0]["lr"] = cfg.learning_rate * (1 - step / cfg.num_steps)
        returns = remember(cfg.horizon)
        for _ in range(cfg.num_updates):
            index = (
                rng.integers(min(count, num_rows), size=cfg.batch_size),
                rng.integers(cfg.num_envs, size=cfg.batch_size),
            )
            optimizer.zero_grad()
            loss(model, target, cfg, *(torch.from_numpy(array[index]) for array in memory)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            updates += 1
            if updates % cfg.period == 0:
                target.load_state_dict(model.state_dict())
        yield returns


# Of what is remembered: obs, action, reward, next_obs, terminated.
ROW = [((4,), np.float32), ((), np.int64), ((), np.float32), ((4,), np.float32), ((), np.float32)]


def moves(cfg: Config, model: nn.Module, rng: np.random.Generator) -> Iterator[tuple]:
    """A generator that is sent the share of random moves and plays one of each environment: `ROW`, and returns."""
    kinds = [lambda: gymnasium.make("CartPole-v1")] * cfg.num_envs
    envs = SyncVectorEnv(kinds, autoreset_mode=AutoresetMode.SAME_STEP)
    obs, total = envs.reset(seed=cfg.seed)[0], np.zeros(cfg.num_envs)
    epsilon = yield ()
    while True:
        with torch.no_grad():
            action = model(torch.from_numpy(obs)).argmax(1).numpy()
        action = np.where(rng.random(cfg.num_envs) < epsilon, rng.integers(2, size=cfg.num_envs), action)
        following, reward, terminated, truncated, info = envs.step(action)
        ended, next_obs = terminated | truncated, following.copy()
        for i in np.flatnonzero(ended):
            next_obs[i] = info["final_obs"][i]
        total += reward
        returns = total[ended].tolist()
        total[ended] = 0
        epsilon = yield obs, action, reward, next_obs, terminated, returns
        obs = following


def require_equal_losses(cfg: Config) -> None:
    """Raises AssertionError unless DQN here and in `adl` have the same loss, at the same parameters and moves."""
    rng = np.random.default_rng(0)
    obs, next_obs, action = *rng.normal(size=(2, 64, 4)).astype("f"), rng.integers(2, size=64)
    reward, terminated = np.ones(64, "f"), (rng.random(64) < 0.3).astype("f")
    learner, follower = (_pair(cfg.hidden, seed, seen) for seed, seen in enumerate((obs, next_obs)))
    thought, following = of_action(learner[1], action), follower[1].max(-1)
    ours = expected.loss(thought, reward, cfg.discount * (1 - terminated), following)[0].mean()
    rows = map(torch.from_numpy, (obs, action, reward, next_obs, terminated))
    np.testing.assert_allclose(ours, loss(learner[0], follower[0], cfg, *rows).item(), rtol=1e-4)


def _pair(hidden: tuple[int, ...], seed: int, obs: np.ndarray) -> tuple[nn.Module, jax.Array]:
    """A network, and what that of `adl` with the same parameters says of observations."""
    model, peer = QNetwork(2, hidden), network(hidden)
    variables = model.init(jax.random.key(seed), obs)
    parts = variables["params"]
    layers = [*parts["Senses_0"].values(), *(part for name, part in parts.items() if name != "Senses_0")]
    for layer, theirs in zip(layers, peer[::2], strict=True):
        theirs.weight.data = torch.tensor(np.asarray(layer["kernel"]).T)
        theirs.bias.data = torch.tensor(np.asarray(layer["bias"]))
    return peer, model.apply(variables, obs)
