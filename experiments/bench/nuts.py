"""NUTS on the breast-cancer posterior, warm-up included, beside BlackJAX's: milliseconds for an effective draw."""

import itertools
import time
from collections.abc import Callable, Mapping
from types import ModuleType

import blackjax
import jax
import numpy as np
from jax import Array

from adl.core import Key, trace
from adl.sampling import diagnostics
from adl.sampling.targets import Target
from experiments.bench import Contenders
from experiments.sampling import nuts as posterior


def contenders(num_chains: int = 8, num_warmup: int = 500, num_draws: int = 1000) -> Contenders:
    """NUTS with Stan's warm-up on the default of `sampling.nuts`, ours and BlackJAX's."""
    config = posterior.Config(num_chains=num_chains, num_steps=num_warmup, num_draws=num_draws)
    return warmed(config, blackjax.nuts)


def warmed(config: posterior.Config, peer: ModuleType, **options) -> Contenders:
    """A method of `sampling.nuts` with its warm-up, ours and BlackJAX's: chains as lanes of one program.

    Args:
      config: which method, and its chains.
      peer: BlackJAX's method.
      options: of that method.
    """
    target = posterior.load(config)
    algorithm = posterior.algorithm(config, target)
    warmup = blackjax.window_adaptation(peer, target.log_density, **options)
    dim = len(target.names)

    def ours(key: Key) -> Array:
        init_key, warmup_key, draw_key = jax.random.split(key, 3)
        state, _ = trace(algorithm, config.num_steps, lambda chain: ())(warmup_key, algorithm.init(init_key, ()))
        return trace(algorithm, config.num_draws, lambda chain: chain.position)(draw_key, state)[1].swapaxes(0, 1)

    def theirs(key: Key) -> Array:
        def chain(key):
            start_key, warmup_key, draw_key = jax.random.split(key, 3)
            start = jax.random.uniform(start_key, (dim,), minval=-2.0, maxval=2.0)
            (state, found), _ = warmup.run(warmup_key, start, config.num_steps)
            kernel = peer(target.log_density, **found).step

            def body(state, key):
                state, _ = kernel(key, state)
                return state, state.position

            return jax.lax.scan(body, state, jax.random.split(draw_key, config.num_draws))[1]

        return jax.vmap(chain)(jax.random.split(key, config.num_chains))

    return effective({"BlackJAX": theirs, "adl": ours}, target)


def effective(samplers: Mapping[str, Callable[[Key], Array]], target: Target) -> Contenders:
    """Samplers `sampler(key) -> draws [C, N, D]` as contenders, whose unit is one effective draw.

    A run draws by a key of its own; the draw is one (bulk) of the parameter that has fewest. All means must lie within
    5 standard errors of the reference.
    """

    def contender(sample: Callable[[Key], Array]) -> Callable[[], float]:
        sample, keys = jax.jit(sample), map(jax.random.key, itertools.count())

        def run() -> float:
            started = time.perf_counter()
            draws = jax.block_until_ready(sample(next(keys)))
            seconds = time.perf_counter() - started
            error = np.abs(diagnostics.z_scores(draws, np.float32(target.mean)))
            assert error.max() < 5, f"the means are off by {error.max():.1f} standard errors"
            return 1e3 * seconds / float(diagnostics.bulk_ess(draws).min())

        return run

    return {name: contender(sample) for name, sample in samplers.items()}
