"""Positions may be any tree: every sampler draws what it draws of the same numbers in a row, by the same key."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from adl.core import BadInput, jitted, repeated
from adl.sampling import hmc, langevin, metropolis, nuts, sgld, slice, smc, tempering
from adl.sampling.annealed import annealed_importance

STEPS = 4
DATA = np.random.default_rng(0).normal(size=(8,)).astype("f")


class Place(NamedTuple):
    """A matrix, a number, and a row within a dict: D = 6."""

    matrix: jax.Array  # [2, 2]
    rest: dict  # {"number": [], "row": [1]}


def start(key):
    a, b, c = jax.random.split(key, 3)
    return Place(jax.random.normal(a, (2, 2)), {"number": jax.random.normal(b), "row": 2 + jax.random.normal(c, (1,))})


_, UNRAVEL = ravel_pytree(start(jax.random.key(0)))


def row(key):
    return ravel_pytree(start(key))[0]


def of_row(x):
    return -0.5 * (x @ jnp.diag(jnp.arange(1.0, 7.0)) @ x) + 0.1 * x[4] * x[0]


def of_place(place):
    return of_row(ravel_pytree(place)[0])


def reference_row(x):
    return -0.5 * x @ x


def reference_place(place):
    return reference_row(ravel_pytree(place)[0])


def warm(make, **options):
    return lambda density, start, reference: make(density, start, num_chains=4, num_warmup=20, **options)


PATH = {"inverse_temperatures": jnp.linspace(0, 1, 3), "move": functools.partial(hmc.transition, num_leapfrog=2)}
SAMPLERS = {
    "hmc": warm(hmc.hmc, num_leapfrog=3),
    "hmc, dense": warm(hmc.hmc, num_leapfrog=3, metric="dense"),
    "nuts": warm(nuts.nuts, max_depth=3),
    "mala": warm(langevin.mala),
    "random_walk": warm(metropolis.random_walk),
    "ula": lambda density, start, reference: langevin.ula(density, start, num_chains=4, step_size=0.1),
    "slice_sampler": lambda density, start, reference: slice.slice_sampler(density, start, num_chains=4),
    "sgld": lambda density, start, reference: sgld.sgld(
        lambda x, y: -0.5 * (y - ravel_pytree(x)[0][0]) ** 2,
        start,
        log_prior=density,
        num_chains=4,
        num_data=8,
        step_size=0.1,
    ),
    "annealed_importance": lambda density, start, reference: annealed_importance(
        density, start, log_reference=reference, num_chains=4, step_size=0.5, **PATH
    ),
    "parallel_tempering": lambda density, start, reference: tempering.parallel_tempering(
        density, start, log_reference=reference, num_chains=4, num_warmup=20, **PATH
    ),
    "smc_sampler": lambda density, start, reference: smc.smc_sampler(
        density, start, log_reference=reference, move=metropolis.transition, num_particles=8
    ),
}


LIKE_HMC = ("hmc, dense", "nuts", "mala", "random_walk", "annealed_importance")  # in how they see positions


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if name in LIKE_HMC else []) for name in SAMPLERS]
)
def test_a_tree_is_moved_as_its_numbers_in_a_row(name):
    batch = np.stack([DATA] * STEPS) if name == "sgld" else ()
    found = []
    for density, begin, reference in ((of_place, start, reference_place), (of_row, row, reference_row)):
        alg = jitted(repeated(SAMPLERS[name](density, begin, reference), STEPS))
        state = alg.init(jax.random.key(1), batch)
        found.append(alg.step(jax.random.split(jax.random.key(2), STEPS), state, batch)[0])
    tree, flat = found
    lead = flat.position.shape[:-1]
    assert isinstance(tree.position, Place)
    assert tree.position.matrix.shape == (*lead, 2, 2) and tree.position.rest["number"].shape == lead
    unravel = functools.reduce(lambda fn, _: jax.vmap(fn), lead, UNRAVEL)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), tree.position, unravel(flat.position)
    )
    if name == "parallel_tempering":
        assert tempering.coldest(tree).matrix.shape == (4, 2, 2)


@pytest.mark.parametrize("begin", [lambda key: jax.random.normal(key), lambda key: 0.5], ids=["number", "Python's"])
def test_a_number_is_a_position(begin):
    alg = jitted(hmc.hmc(lambda x: -0.5 * x**2, begin, num_chains=2, num_warmup=0, num_leapfrog=2))
    state, _ = alg.step(jax.random.key(1), alg.init(jax.random.key(0), ()), ())
    assert state.position.shape == (2,) and state.gradient.shape == (2, 1)


def test_widths_of_a_slice_are_a_tree_too():
    wide = {"a": 2.0, "b": jnp.array([0.5, 3.0])}
    begin = lambda key: {"a": jnp.zeros(()), "b": jnp.zeros(2)}  # noqa: E731
    make = functools.partial(slice.slice_sampler, num_chains=2)
    tree = make(lambda x: -0.5 * (x["a"] ** 2 + x["b"] @ x["b"]), begin, width=wide)
    flat = make(lambda x: -0.5 * x @ x, lambda key: jnp.zeros(3), width=jnp.array([2.0, 0.5, 3.0]))
    states = [alg.step(jax.random.key(1), alg.init(jax.random.key(0), ()), ())[0] for alg in (tree, flat)]
    np.testing.assert_allclose(states[0].position["b"], states[1].position[:, 1:], rtol=1e-5)


@pytest.mark.parametrize(
    ("density", "begin", "said"),
    [
        (of_row, lambda key: {"n": jnp.zeros(3, int)}, r"start: n is int32 \[3\], and this sampler moves along real"),
        (of_row, lambda key: jnp.zeros(3, bool), "start: the position is bool"),
        (of_row, lambda key: {}, "start: it gives a position without a number"),
        (of_row, lambda key: jnp.zeros(0), "start: it gives a position without a number"),
        (
            lambda x: -0.5 * x**2,
            lambda key: jnp.zeros(3),
            r"log_density gives float32 \[3\] of one position, where one",
        ),
        (lambda x: (-0.5 * x @ x,), lambda key: jnp.zeros(3), "log_density gives tuple of one position"),
    ],
)
def test_what_is_no_position_or_no_density_is_one_line(density, begin, said):
    with pytest.raises(BadInput, match=said) as told:
        nuts.nuts(density, begin, num_chains=2, num_warmup=0)
    assert "\n" not in str(told.value)
