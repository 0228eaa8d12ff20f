"""Time until PPO balances the pole: until its last 100 episodes return 475, as Gymnasium asks (extra `bench`).

Each round is a training with a seed of its own, from the first state on. Compilation is a contender by itself; each
contender has a process of its own.

Measured on two cores beside other work, medians of 3 rounds: Stable-Baselines3 23.9 s, CleanRL's loop 21.0 s, adl
3.0 s, 7.6 times as fast as the first; the last of 8 seeds in one program after 31.4 s. To compile took 24.6 s there the
first time, and about 5 s from JAX's cache on disk.
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
