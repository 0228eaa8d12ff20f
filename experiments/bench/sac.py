"""SAC with the environment and the replay in the step, and with both beside it (extra `bench`): an update a step.

A step is 4 environment steps of the pendulum and an update of 128 moves, of 8,000 in a training run. Each contender has
a process of its own.
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
