"""The chains of `sampling.compare` beside BlackJAX's on a banana: milliseconds for an effective draw."""

import functools
import time
from collections.abc import Callable, Mapping

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from adl.core import Key, trace
from adl.sampling import adaptation, diagnostics, hmc, targets
from experiments.bench import Contenders
from experiments.sampling import compare

FIRST = "nuts"  # BlackJAX's, to which all others are compared


def contenders(target: str = "banana", num_warmup: int = 500, num_draws: int = 2000) -> Contenders:
    """Chains that go on after our warm-up, ours and BlackJAX's with the same places, steps and masses.

    The draw is one of the two means and two variances that has fewest. Some samplers are biased here, so none is asked
    to agree with another: a contender's name says its `z`, the largest error of these in standard errors, of a first
    run.
    """
    config = compare.Config(num_steps=num_warmup, num_draws=num_draws)
    kernels = peers(targets.PLANE[target].log_density)
    found = {}
    for name in sorted(config.methods, key=lambda name: name != FIRST):
        alg = compare.sampler(config, name, jnp.asarray([*targets.PLANE].index(target)))
        view = functools.partial(compare.target_position, name)
        init_key, warm_key = jax.random.split(jax.random.key(0))
        state, _ = jax.jit(trace(alg, num_warmup, lambda state: ()))(warm_key, jax.jit(alg.init)(init_key, ()))
        samplers = {"adl": lambda key, alg=alg, state=state, view=view: trace(alg, num_draws, view)(key, state)[1]}
        if name in kernels:
            samplers = {"BlackJAX": theirs(kernels[name], state, num_warmup, num_draws), **samplers}
        found |= {f"{name}, {whose}": jax.jit(sampler) for whose, sampler in samplers.items()}
    return timed(found, targets.PLANE[target])


def peers(log_density: hmc.LogDensity) -> dict[str, Callable]:
    """BlackJAX's samplers: `kernel(step_size, variances [2]) -> (sampler, scale [2])`, of a density at `scale * x`."""

    def walk(size, variances):
        proposal = blackjax.mcmc.random_walk.normal(size * jnp.sqrt(variances))
        return blackjax.additive_step_random_walk(log_density, proposal), jnp.ones(2)

    def langevin(size, variances):  # it has no mass: the target is scaled instead, and so are its draws
        scale = jnp.sqrt(variances)
        return blackjax.mala(lambda z: log_density(z * scale), 0.5 * size**2), scale

    def hamiltonian(size, variances):
        return blackjax.hmc(log_density, size, variances, compare.LEAPFROG), jnp.ones(2)

    def no_u_turn(size, variances):
        return blackjax.nuts(log_density, size, variances, max_num_doublings=6), jnp.ones(2)

    return {"random_walk": walk, "mala": langevin, "hmc": hamiltonian, "nuts": no_u_turn}


def theirs(kernel: Callable, state: hmc.Chain, num_warmup: int, num_draws: int) -> Callable[[Key], Array]:
    """`sampler(key) -> draws [N, C, 2]` that goes on where our chains are, with what these know."""

    def chain(key, position, known):
        sampler, scale = kernel(adaptation.step_size(known, num_warmup), known.inverse_mass)

        def body(state, key):
            state, _ = sampler.step(key, state)
            return state, state.position * scale

        return lax.scan(body, sampler.init(position / scale), jax.random.split(key, num_draws))[1]

    def sample(key):
        return jax.vmap(chain, out_axes=1)(jax.random.split(key, len(state.position)), state.position, state.adaptation)

    return sample


def timed(samplers: Mapping[str, Callable[[Key], Array]], target: targets.Target) -> Contenders:
    """Compiled samplers `sampler(key) -> draws [N, C, 2]` as contenders, whose unit is one effective draw."""
    known = (np.float32(target.mean), np.float32(target.std**2))
    keys = iter(jax.random.split(jax.random.key(1), 10_000))

    def contender(sample: Callable[[Key], Array]) -> Callable[[], tuple[float, float]]:
        def run() -> tuple[float, float]:
            key = next(keys)
            started = time.perf_counter()
            draws = jax.block_until_ready(sample(key))
            seconds = time.perf_counter() - started
            judged = diagnostics.judged(draws.swapaxes(0, 1), *known)
            return 1e3 * seconds / float(judged.ess), float(judged.z)

        return run

    runs = {name: contender(sample) for name, sample in samplers.items()}
    return {f"{name}, z {run()[1]:.1f}": lambda run=run: run()[0] for name, run in runs.items()}
