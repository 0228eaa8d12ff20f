"""PPO with the environment in the step, and with the environment beside it (extra `bench`): 16 updates a step.

A step is 1,024 environment steps on CartPole, of 488 in a training run. Each contender has a process of its own.

Measured on two cores beside other work, medians of 3 rounds: Stable-Baselines3 218 ms (4,700 environment steps and 73
updates a second), CleanRL's loop 193 ms; adl 27 ms (37,700 and 589), of 8 seeds 33 ms each, of 64 seeds 23 ms each: 8,
6.5 and 9 times as fast as the first.
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
