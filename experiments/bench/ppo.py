"""PPO with the environment in the step, and with the environment beside it (extra `bench`)."""

import time
from collections.abc import Callable

import jax

from adl.core import jitted, over_seeds, repeated
from experiments.bench import Contenders
from experiments.bench.peers import ppo_torch
from experiments.rl import ppo


def contenders(num_steps: int = 60, peer_steps: int = 10) -> Contenders:
    """1,024 environment steps of PPO on CartPole, of 488 in a training run, each round where the last one left off."""
    config = ppo.Config(num_steps=10**6)  # the learning rate stays
    ppo_torch.require_equal_losses(config)
    training = ppo_torch.train(config)

    def beside() -> float:
        started = time.perf_counter()
        for _ in range(peer_steps):
            next(training)
        return 1e3 * (time.perf_counter() - started) / peer_steps

    def inside(num_seeds: int) -> Callable[[], float]:
        algorithm = ppo.build(config, None, None).algorithm
        algorithm = over_seeds(algorithm, num_seeds) if num_seeds > 1 else algorithm
        algorithm, key = jitted(repeated(algorithm, num_steps)), jax.random.key(0)
        state = [algorithm.init(key, ())]

        def run() -> float:
            started = time.perf_counter()
            state[0], metrics = algorithm.step(key, state[0], ())
            jax.block_until_ready((state, metrics))
            return 1e3 * (time.perf_counter() - started) / num_steps / num_seeds

        return run

    return {
        "PyTorch and Gymnasium, as CleanRL": beside,
        "adl, one seed": inside(1),
        "adl, five seeds in one program, each": inside(5),
    }
