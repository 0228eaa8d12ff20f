"""MALA on a Gaussian in 30 dimensions, beside BlackJAX's: milliseconds for an effective draw."""

import blackjax
import jax
import numpy as np
from jax import Array

from adl.core import Key, trace
from adl.sampling.langevin import mala
from adl.sampling.targets import Target
from experiments.bench import Contenders
from experiments.bench.nuts import effective

STD = np.linspace(0.5, 1.5, 30, dtype=np.float32)  # BlackJAX's MALA has no mass, so that one step must fit all
STEP_SIZE = 0.5


def contenders(num_chains: int = 8, num_draws: int = 10_000) -> Contenders:
    """MALA of one step size, from exact draws and without warm-up, ours and BlackJAX's."""

    def log_density(x: Array) -> Array:
        return -0.5 * ((x / STD) ** 2).sum()

    def start(key: Key) -> Array:
        return STD * jax.random.normal(key, STD.shape)

    target = Target(log_density, [f"x{i}" for i in range(len(STD))], np.zeros_like(STD), STD)
    alg = mala(target.log_density, start, num_chains=num_chains, num_warmup=0, step_size=STEP_SIZE)
    peer = blackjax.mala(target.log_density, 0.5 * STEP_SIZE**2)

    def ours(key: Key) -> Array:
        init_key, key = jax.random.split(key)
        return trace(alg, num_draws, lambda chain: chain.position)(key, alg.init(init_key, ()))[1].swapaxes(0, 1)

    def theirs(key: Key) -> Array:
        def chain(key):
            start_key, key = jax.random.split(key)

            def body(state, key):
                state, _ = peer.step(key, state)
                return state, state.position

            return jax.lax.scan(body, peer.init(start(start_key)), jax.random.split(key, num_draws))[1]

        return jax.vmap(chain)(jax.random.split(key, num_chains))

    return effective({"BlackJAX": theirs, "adl": ours}, target)
