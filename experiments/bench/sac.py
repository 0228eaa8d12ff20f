"""SAC with the environment and the replay in the step, and with both beside it (extra `bench`): an update a step.

A step is 4 environment steps of the pendulum and an update of 128 moves, of 8,000 in a training run. Each contender has
a process of its own.

Measured on two cores beside other work, medians of 5 rounds: Stable-Baselines3 19.0 ms (210 environment steps and 53
updates a second); adl 2.6 ms (1,550 and 387), of 8 seeds 1.5 ms each, of 64 seeds 2.4 ms each: 7.6, 11 and 8 times as
fast.
"""

from experiments.bench import Contenders, apart
from experiments.bench.peers import agents, baselines
from experiments.rl import continuous

WORK = {"environment steps": 4, "updates": 1}  # of a step


def contenders(num_steps: int = 1000, peer_steps: int = 300, seeds: tuple[int, ...] = (1, 8, 64)) -> Contenders:
    """A step of SAC with the numbers of `rl.continuous`, of adl's a step and seed."""
    config = continuous.Config()
    peer = apart(baselines.theirs, baselines.as_sac, config, peer_steps, config.num_envs)
    return {"Stable-Baselines3": peer} | agents.by_seeds(continuous.build, config, num_steps, seeds)
