"""Langevin dynamics: draws by drifting up the gradient of the log-density, kicked by noise at every step.

    x' = x + eps^2 / 2 grad log p(x) + eps sqrt(T) n,   n ~ N(0, I)

As eps goes to 0 the draws have the density p^(1/T), up to a constant. With a finite step they do not quite: of a
Gaussian of standard deviation s, at T = 1, the variance is s^2 / (1 - eps^2 / (4 s^2)), and from eps = 2 s on the
chain diverges. `langevin` lives with this; `mala` accepts or refuses each step, and has p exactly.

Sources: Roberts & Tweedie 1996, Bernoulli 2(4); Neal 2011, arXiv:1206.1901, sec. 5.2.
"""

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm
from adl.core.types import Array, Key, PyTree
from adl.sampling.chains import Walker, side_by_side
from adl.sampling.hmc import LogDensity, chains, transition
from adl.sampling.position import flattening

Score = Callable[[Array], Array]  # x [...] -> grad log p(x) [...]
Sampler = Callable[[Key, Array, Score], Array]  # (key, x [...], score) -> x [...], moved towards p


def langevin(
    key: Key,
    x: Array,
    score: Score,
    *,
    step_size: Array | float,
    num_steps: int,
    temperature: Array | float = 1.0,
) -> Array:
    """`[...]` where chains that start at `x` are after some unadjusted steps.

    Args:
      key: consumed.
      x: `[...]`: one chain, or as many as the score takes.
      score: gradient of the log-density, of the shape of `x`.
      step_size: `[]` eps > 0, in units of `x`.
      num_steps: >= 0; 0 returns `x`.
      temperature: `[]` T >= 0; 1 samples p, less only its peaks, 0 climbs without noise.
    """

    def move(x, key):
        noise = jax.random.normal(key, x.shape, x.dtype)
        return x + 0.5 * step_size**2 * score(x) + step_size * jnp.sqrt(temperature) * noise, None

    return lax.scan(move, x, jax.random.split(key, num_steps))[0]


@flattening
def ula(
    log_density: LogDensity, start: Callable[[Key], PyTree], *, num_chains: int, step_size: Array | float
) -> Algorithm:
    """The unadjusted Langevin algorithm: steps of `langevin`; state is a `Walker`, batches are empty.

    Metrics, over the chains: "potential" -log p in nats.

    Args:
      log_density: of the target.
      start: as in `hmc.hmc`.
      num_chains: C >= 1.
      step_size: `[]` eps > 0, in units of `x`: with it grows the bias.
    """

    def begin(key):
        position = start(key)
        return Walker(position, log_density(position))

    def move(key, walker, batch):
        position = langevin(key, walker.position, jax.grad(log_density), step_size=step_size, num_steps=1)
        walker = Walker(position, log_density(position))
        return walker, {"potential": -walker.log_density}

    return side_by_side(begin, move, num_chains=num_chains)


def mala(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    num_warmup: int,
    step_size: float = 1.0,
    target_acceptance: float = 0.574,
    metric: Literal["diagonal", "dense"] = "diagonal",
) -> Algorithm:
    """The Metropolis-adjusted Langevin algorithm; state is a `Chain`, batches are empty.

    One leapfrog step from a fresh momentum n is a Langevin step, and its energy error is the log of the
    Metropolis-Hastings ratio: this is Hamiltonian Monte Carlo with trajectories of one step.

    Args:
      log_density: of the target.
      start: as in `hmc.hmc`.
      num_chains: C >= 1.
      num_warmup: as in `hmc.hmc`.
      step_size: eps > 0, to begin with.
      target_acceptance: in (0, 1), mean acceptance probability that the warm-up aims at; 0.574 is the best in many
        dimensions (Roberts & Rosenthal 1998, JRSS B 60(1)).
      metric: as in `hmc.hmc`.
    """
    return chains(
        log_density,
        start,
        move=functools.partial(transition, num_leapfrog=1, jitter=0.0),
        num_chains=num_chains,
        num_warmup=num_warmup,
        step_size=step_size,
        target_acceptance=target_acceptance,
        metric=metric,
    )
