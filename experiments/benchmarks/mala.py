"""MALA on the breast-cancer posterior, beside BlackJAX's: milliseconds for an effective draw."""

import blackjax
import jax
import jax.numpy as jnp
from jax import Array

from adl.core import Key, trace
from adl.sampling.langevin import mala
from experiments import sampling_nuts
from experiments.benchmarks import Contenders
from experiments.benchmarks.nuts import effective

STEP_SIZE = 0.2  # accepts about six in ten, in the scale of the posterior as it is: BlackJAX's MALA has no mass


def contenders(num_chains: int = 8, num_draws: int = 10_000) -> Contenders:
    """MALA of one step size, without warm-up, from places as spread as the posterior, ours and BlackJAX's."""
    target = sampling_nuts.logistic(sampling_nuts.Config())
    mean, std = jnp.asarray(target.mean), jnp.asarray(target.std)

    def start(key: Key) -> Array:
        return mean + std * jax.random.normal(key, mean.shape)

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
