"""PPO with the environment in the step, and with the environment beside it (extra `bench`): 16 updates a step.

A step is 1,024 environment steps on CartPole, of 488 in a training run. Each contender has a process of its own.
"""

from experiments.bench import Contenders, apart
from experiments.bench.peers import agents, baselines, ppo_torch
from experiments.rl import ppo

WORK = {"environment steps": 1024, "updates": 16}  # of a step


def contenders(num_steps: int = 60, peer_steps: int = 10, seeds: tuple[int, ...] = (1, 8, 64)) -> Contenders:
    """A step of PPO with the numbers of `rl.ppo`, of adl's a step and seed. The losses must agree."""
    config = ppo.Config(num_steps=10**6)  # the learning rate stays
    ppo_torch.require_equal_losses(config)
    peers = {
        "Stable-Baselines3": apart(baselines.theirs, baselines.as_ppo, config, peer_steps, config.batch_size),
        "PyTorch and Gymnasium, as CleanRL": apart(agents.theirs, ppo_torch.train, config, peer_steps),
    }
    return peers | agents.by_seeds(ppo.build, config, num_steps, seeds)
