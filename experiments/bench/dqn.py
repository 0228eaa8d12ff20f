"""DQN with the environment and the memory in the step, and with both beside it (extra `bench`): 4 updates a step.

A step is 40 environment steps on CartPole and 4 updates of 128 moves, of 8,000 in a training run. Each contender has a
process of its own.

Measured on two cores beside other work, medians of 5 rounds: Stable-Baselines3 29.7 ms (1,350 environment steps and 135
updates a second), CleanRL's loop 23.3 ms; adl 3.8 ms (10,600 and 1,060), of 8 seeds 4.8 ms each, of 64 seeds 5.6 ms
each: 6.6, 6.1 and 6 times as fast as the first.
"""

from experiments.bench import Contenders, apart
from experiments.bench.peers import agents, baselines, dqn_torch
from experiments.rl import value

WORK = {"environment steps": 40, "updates": 4}  # of a step


def contenders(num_steps: int = 400, peer_steps: int = 100, seeds: tuple[int, ...] = (1, 8, 64)) -> Contenders:
    """A step of DQN with the numbers of `rl.value`, of adl's a step and seed. CleanRL's loss must be ours."""
    config = value.Config(num_steps=10**6, explore=1e-6)  # the learning rate stays, and few moves are at random
    dqn_torch.require_equal_losses(config)
    peers = {
        "Stable-Baselines3": apart(baselines.theirs, baselines.as_dqn, config, peer_steps, 40),
        "PyTorch and Gymnasium, as CleanRL": apart(agents.theirs, dqn_torch.train, config, peer_steps),
    }
    return peers | agents.by_seeds(value.build, config, num_steps, seeds)
