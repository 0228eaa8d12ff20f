"""Time until PPO balances the pole: until its last 100 episodes return 475, as Gymnasium asks (extra `bench`).

Each round is a training with a seed of its own, from the first state on. Compilation is a contender by itself; each
contender has a process of its own.
"""

from experiments.bench import Contenders, apart
from experiments.bench.peers import agents, baselines, ppo_torch
from experiments.rl import ppo


def contenders(goal: float = 475.0, num_steps: int = 4, seeds: tuple[int, ...] = (1, 8)) -> Contenders:
    """Milliseconds with the numbers of `rl.ppo`; of several seeds in one program, until each has been there once."""
    config = ppo.Config()
    ppo_torch.require_equal_losses(config)
    peers = {
        "Stable-Baselines3": apart(baselines.theirs_until, baselines.as_ppo, config, goal, config.batch_size),
        "PyTorch and Gymnasium, as CleanRL": apart(agents.theirs_until, ppo_torch.train, config, goal),
    }
    return peers | agents.by_seeds_until(ppo.build, config, goal, num_steps, seeds)
