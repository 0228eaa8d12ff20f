"""Time until DQN balances the pole: until its last 100 episodes return 475, as Gymnasium asks (extra `bench`).

Each round is a training with a seed of its own, from the first state on. Compilation is a contender by itself; each
contender has a process of its own.
"""

from experiments.bench import Contenders, apart
from experiments.bench.peers import agents, baselines, dqn_torch
from experiments.rl import value


def contenders(goal: float = 475.0, num_steps: int = 25, seeds: tuple[int, ...] = (1,)) -> Contenders:
    """Milliseconds with the numbers of `rl.value`; of several seeds in one program, until each has been there once."""
    config = value.Config()
    dqn_torch.require_equal_losses(config)
    peers = {
        "Stable-Baselines3": apart(baselines.theirs_until, baselines.as_dqn, config, goal, 40),
        "PyTorch and Gymnasium, as CleanRL": apart(agents.theirs_until, dqn_torch.train, config, goal),
    }
    return peers | agents.by_seeds_until(value.build, config, goal, num_steps, seeds)
