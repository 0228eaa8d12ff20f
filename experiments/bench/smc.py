"""An adaptive SMC sampler from the prior to the breast-cancer posterior, beside BlackJAX's: milliseconds a run."""

import functools
import itertools
import time
from collections.abc import Callable

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.smc import extend_params, resampling
from jax import Array

from adl.core import Key
from adl.sampling import hmc
from adl.sampling.smc import smc_sampler
from experiments.bench import Contenders
from experiments.sampling import nuts as posterior

STEP_SIZE, NUM_LEAPFROG, NUM_MOVES, SHARE = 0.1, 8, 4, 0.5


def contenders(num_particles: int = 512) -> Contenders:
    """512 particles from N(0, I) to the posterior, four HMC transitions a temperature, ours and BlackJAX's.

    Temperatures keep half of the particles effective, resampling is systematic, the mass is 1. Both must have the
    posterior's means, within 0.3 of its standard deviations, and in 16 runs one log normaliser, within 4 errors.
    """
    target = posterior.load(posterior.Config())
    dim = len(target.names)

    def log_prior(x: Array) -> Array:
        return -0.5 * (x**2).sum() - 0.5 * dim * jnp.log(2 * jnp.pi)

    def log_likelihood(x: Array) -> Array:
        return target.log_density(x) + 0.5 * (x**2).sum()

    def start(key: Key) -> Array:
        return jax.random.normal(key, (dim,))

    alg = smc_sampler(
        lambda x: log_prior(x) + log_likelihood(x),
        start,
        log_reference=log_prior,
        move=functools.partial(hmc.transition, num_leapfrog=NUM_LEAPFROG, jitter=0.0),
        num_particles=num_particles,
        num_moves=NUM_MOVES,
        step_size=STEP_SIZE,
        share=SHARE,
        metric="unit",
    )
    peer = blackjax.adaptive_tempered_smc(
        log_prior,
        log_likelihood,
        blackjax.hmc.build_kernel(),
        blackjax.hmc.init,
        extend_params(
            {
                "step_size": STEP_SIZE,
                "inverse_mass_matrix": jnp.ones(dim),
                "num_integration_steps": NUM_LEAPFROG,
            }
        ),
        resampling.systematic,
        target_ess=SHARE,
        num_mcmc_steps=NUM_MOVES,
    )

    def ours(key: Key) -> tuple[Array, Array, Array]:
        init_key, key = jax.random.split(key)

        def body(carry):
            state, count = carry
            return alg.step(jax.random.fold_in(key, count), state, ())[0], count + 1

        def is_hot(carry):
            return carry[0].inverse_temperature < 1

        state, count = jax.lax.while_loop(is_hot, body, (alg.init(init_key, ()), jnp.zeros((), "int32")))
        return state.position, state.log_normaliser, count

    def theirs(key: Key) -> tuple[Array, Array, Array]:
        init_key, key = jax.random.split(key)
        state = peer.init(jax.vmap(start)(jax.random.split(init_key, num_particles)))

        def body(carry):
            state, log_z, count = carry
            state, info = peer.step(jax.random.fold_in(key, count), state)
            return state, log_z + info.log_likelihood_increment, count + 1

        def is_hot(carry):
            return carry[0].tempering_param < 1

        begin = (state, jnp.zeros(()), jnp.zeros((), "int32"))
        state, log_z, count = jax.lax.while_loop(is_hot, body, begin)
        return state.particles, log_z, count

    found: dict[str, list[float]] = {}

    def contender(name: str, sample: Callable) -> Callable[[], float]:
        sample, keys, found[name] = jax.jit(sample), map(jax.random.key, itertools.count()), []

        def run() -> float:
            started = time.perf_counter()
            position, log_z, _ = jax.block_until_ready(sample(next(keys)))
            seconds = time.perf_counter() - started
            error = np.abs(position.mean(0) - target.mean) / target.std
            assert error.max() < 0.3, f"{name}: a mean is off by {error.max():.2f} standard deviations"
            found[name].append(float(log_z))
            return 1e3 * seconds

        return run

    runs = {name: contender(name, sample) for name, sample in (("BlackJAX", theirs), ("adl", ours))}
    for _ in range(16):
        for run in runs.values():
            run()
    means, errors = zip(*((np.mean(z), np.std(z, ddof=1) / 4) for z in found.values()), strict=True)
    if abs(means[0] - means[1]) > 4 * np.hypot(*errors):
        raise SystemExit(f"error: the contenders do not agree: log Z {dict(zip(found, means, strict=True))}")
    return runs
