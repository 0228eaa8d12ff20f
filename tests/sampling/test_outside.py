"""Chains that begin outside the support, or meet holes and infinities inside, come home and draw what they should."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import trace
from adl.sampling import hmc, langevin, metropolis, nuts, slice, tempering
from adl.sampling.annealed import geometric

KEY = jax.random.key(0)
NUM_WARMUP, NUM_DRAWS, NUM_CHAINS = 300, 1500, 4


def wide(x):
    return -0.5 * jnp.sum(x**2) / 9


def jump(key, x):
    return x + 2 * jax.random.normal(key, x.shape)


RUN = {"num_chains": NUM_CHAINS, "num_warmup": NUM_WARMUP}
SAMPLERS = {
    "hmc": functools.partial(hmc.hmc, num_leapfrog=5, **RUN),
    "nuts": functools.partial(nuts.nuts, max_depth=5, **RUN),
    "mala": functools.partial(langevin.mala, **RUN),
    "random_walk": functools.partial(metropolis.random_walk, **RUN),
    "metropolis_hastings": functools.partial(metropolis.metropolis_hastings, propose=jump, num_chains=NUM_CHAINS),
    "slice": functools.partial(slice.slice_sampler, num_chains=NUM_CHAINS),
    "tempering": functools.partial(
        tempering.parallel_tempering,
        log_reference=wide,
        inverse_temperatures=jnp.array([0.0, 0.5, 1.0]),
        move=functools.partial(hmc.transition, num_leapfrog=5),
        **RUN,
    ),
}


def start(key):
    """From -2 to -1 and so outside of all that is positive."""
    return -1 - jax.random.uniform(key, (1,))


def gamma(x):
    """Gamma(2, 1), and what its formula says of numbers below 0."""
    return (jnp.log(x) - x).sum()


DENSITIES = {  # and mean and standard deviation
    "-inf": (lambda x: jnp.where(x > 0, gamma(jnp.where(x > 0, x, 1.0)), -jnp.inf).sum(), 2.0, 2**0.5),
    "nan": (gamma, 2.0, 2**0.5),
    "uniform": (lambda x: jnp.where((x > 0) & (x < 2), 0.0, -jnp.inf).sum(), 1.0, 3**-0.5),
    "+inf": (lambda x: jnp.where(x > 0, -0.5 * (x - 3) ** 2, jnp.inf).sum(), 3.0, 1.0),
}


# By default HMC meets all four; the others what poisons a sum, which are a nan and +inf.
PAIRS = [
    pytest.param(name, density, marks=[] if name == "hmc" or density in ("nan", "+inf") else [pytest.mark.full])
    for name in SAMPLERS
    for density in DENSITIES
]


@pytest.mark.parametrize(("name", "density"), PAIRS)
def test_chains_come_home(name, density):
    """Step sizes and acceptances are numbers throughout; means are within 5 errors, and variances within 20 %."""
    log_density, mean, std = DENSITIES[density]
    alg = SAMPLERS[name](log_density, start)

    def view(state):
        where = tempering.coldest(state) if name == "tempering" else state.position
        sizes = state.adaptation.averaging.log_step if hasattr(state, "adaptation") else jnp.zeros(())
        return where[..., 0], sizes

    run = jax.jit(lambda key: trace(alg, NUM_WARMUP + NUM_DRAWS, view)(key, alg.init(key, ()), ()))
    _, (draws, sizes) = run(KEY)
    assert np.isfinite(sizes).all() and np.isfinite(draws).all()
    draws = np.asarray(draws[NUM_WARMUP:], float)
    assert np.isfinite(jax.vmap(lambda x: log_density(x[None]))(draws.ravel().astype("f"))).all()
    assert abs(draws.mean() - mean) < 0.12 * std and abs(draws.std() / std - 1) < 0.1, (draws.mean(), draws.std())


def test_a_refusal_outside_tells_nothing_of_the_step_size():
    """Where no step comes home it stays as wide, and is still a number."""
    nowhere = hmc.hmc(lambda x: jnp.where(x > 1e6, 0.0, -jnp.inf).sum(), start, num_leapfrog=2, **RUN)
    state, step_size = trace(nowhere, 100, lambda chain: chain.adaptation.averaging.log_step)(
        KEY, nowhere.init(KEY, ()), ()
    )
    assert np.exp(step_size).min() >= 1 and np.isfinite(step_size).all()
    assert np.isfinite(state.position).all()


def test_paths_between_densities_of_zero_are_no_numbers_that_count():
    """Outside both, gains are not numbers: such replicas neither swap nor poison the others."""
    order, probability = tempering.swaps(
        KEY, jnp.array([0.0, 0.5, 1.0]), jnp.array([jnp.nan, -jnp.inf, -jnp.inf]), jnp.zeros((), int)
    )
    assert np.isfinite(probability).all() and sorted(order.tolist()) == [0, 1, 2]
    never = geometric(wide, lambda x: jnp.full((), -jnp.inf), jnp.float32(0.0))
    assert np.isfinite(never(jnp.ones(1)))
