"""Markov chains and particles that begin ten standard deviations away."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm
from adl.sampling import hmc as hamiltonian
from adl.sampling import metropolis
from adl.sampling.annealed import annealed_importance
from adl.sampling.gibbs import gibbs
from adl.sampling.hmc import hmc
from adl.sampling.langevin import mala, ula
from adl.sampling.nuts import nuts
from adl.sampling.particle_filter import particle_filter
from adl.sampling.sgld import sgld
from adl.sampling.slice import slice_sampler
from adl.sampling.smc import smc_sampler
from adl.sampling.tempering import parallel_tempering
from tests.case import Case, nothing, points


def correlated(x: jax.Array) -> jax.Array:
    return -0.5 * x @ jnp.array([[2.0, -1.0], [-1.0, 1.0]]) @ x


def far(key: jax.Array) -> jax.Array:
    return 10 + jax.random.normal(key, (2,))


def near_far(x: jax.Array) -> jax.Array:
    """Log-density of where `far` is."""
    return -0.5 * jnp.square(x - 10).sum()


def chains(make: Callable, **options) -> Case:
    """Chains of a correlated Gaussian that begin far away and warm up while they come near."""
    of = {"num_chains": 16, "num_warmup": 30, "step_size": 0.1, **options}
    return Case(lambda axis: make(correlated, far, **of), nothing, "potential", is_deterministic=False, reduces=False)


def walkers(make: Callable, **options) -> Case:
    """The same, where nothing warms up."""
    return Case(
        lambda axis: make(correlated, far, num_chains=16, **options),
        nothing,
        "potential",
        is_deterministic=False,
        reduces=False,
    )


def stride(key: jax.Array, x: jax.Array) -> jax.Array:
    """Towards the origin rather than away: a proposal that is not symmetric."""
    return 0.9 * x + jax.random.normal(key, (2,))


def log_stride(to: jax.Array, of: jax.Array) -> jax.Array:
    return -0.5 * jnp.square(to - 0.9 * of).sum()


def conditionals() -> list[Callable]:
    """Of the same Gaussian."""
    return [
        lambda key, x: x.at[0].set(0.5 * x[1] + jnp.sqrt(0.5) * jax.random.normal(key)),
        lambda key, x: x.at[1].set(x[0] + jax.random.normal(key)),
    ]


def coordinates(**options) -> Case:
    return Case(
        lambda axis: gibbs(conditionals(), far, num_chains=16, **options),
        nothing,
        "jump",
        is_deterministic=False,
        reduces=False,
    )


def annealing(axis: str | None) -> Algorithm:
    schedule = jnp.linspace(0, 1, 30)
    move = functools.partial(hamiltonian.transition, num_leapfrog=2)
    return annealed_importance(
        correlated, far, log_reference=near_far, inverse_temperatures=schedule, move=move, num_chains=16, step_size=0.5
    )


def replicas(axis: str | None) -> Algorithm:
    of = {"num_chains": 16, "num_warmup": 30, "step_size": 0.1}
    return parallel_tempering(
        correlated, far, log_reference=near_far, inverse_temperatures=[0.0, 0.5, 1.0], move=metropolis.transition, **of
    )


def population(axis: str | None) -> Algorithm:
    return smc_sampler(
        correlated, far, log_reference=near_far, move=metropolis.transition, num_particles=64, num_moves=2, axis=axis
    )


def mean_of_points(axis: str | None) -> Algorithm:
    """The posterior of the points' mean, by batches of them."""
    return sgld(
        lambda x, y: -0.5 * jnp.square(y - x).sum(),
        far,
        log_prior=lambda x: -0.005 * x @ x,
        num_chains=16,
        num_data=64,
        step_size=optax.exponential_decay(0.1, 10, 0.5),
        axis=axis,
    )


def tracking(axis: str | None) -> Algorithm:
    """Sixteen walks at once, of which nothing is known before the first observation."""
    return particle_filter(
        lambda key: 30 * jax.random.normal(key, (2,)),
        lambda key, x: 0.9 * x + jax.random.normal(key, (2,)),
        log_likelihood=lambda x, y: -0.5 * jnp.square(y - x).sum(),
        num_particles=256,
    )


OWN = ("rank", "type")  # the batch goes to the caller's own density
CASES = {
    "hmc": chains(hmc, num_leapfrog=3),
    "nuts": chains(nuts, metric="dense"),
    "mala": chains(mala),
    "ula": walkers(ula, step_size=0.5),
    "sgld": Case(mean_of_points, points, "potential", is_deterministic=False, takes=OWN),
    "random_walk": chains(metropolis.random_walk),
    "metropolis_hastings": walkers(metropolis.metropolis_hastings, propose=stride, log_proposal=log_stride),
    "gibbs": coordinates(),
    "gibbs, random scan": coordinates(scan="random"),
    "slice_sampler": walkers(slice_sampler),
    "parallel_tempering": Case(replicas, nothing, "potential", is_deterministic=False, reduces=False),
    "annealed_importance": Case(annealing, nothing, "potential", is_deterministic=False, reduces=False),
    "smc_sampler": Case(population, nothing, "potential", is_deterministic=False),
    "particle_filter": Case(tracking, points, "loss", is_deterministic=False, reduces=False, takes=OWN),
}
