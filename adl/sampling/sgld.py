"""Stochastic-gradient Langevin dynamics: draws from a posterior that see a batch of the data at a time.

    x' = x + eps_t^2 / 2 (grad log p(x) + N / B sum_b grad log p(y_b | x)) + eps_t n,   n ~ N(0, I)

Nothing is accepted or refused. As eps_t falls to 0 the noise of the batches, of variance eps^4 V / 4, vanishes beside
the injected eps^2, and the draws have the posterior; at a constant step both this noise and the step bias them. Of a
Gaussian posterior of precision P the variance is

    (eps^2 + eps^4 V / 4) / (1 - (1 - eps^2 P / 2)^2)

Source: Welling & Teh 2011, ICML, eq. 4, where eps is this eps squared.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, border, gathered
from adl.core.types import Array, Key, PyTree
from adl.sampling.chains import side_by_side
from adl.sampling.hmc import LogDensity
from adl.sampling.langevin import langevin
from adl.sampling.position import flattening


class Noisy(NamedTuple):
    """State of C chains that see batches."""

    position: PyTree  # [C, D], or leaves [C, *shape]
    count: Array  # [C] steps so far


@border.rows
@flattening
def sgld(
    log_likelihood: Callable[[PyTree, PyTree], Array],
    start: Callable[[Key], PyTree],
    *,
    log_prior: LogDensity,
    num_chains: int,
    num_data: int,
    step_size: float | Callable[[Array], Array],
    axis: str | None = None,
) -> Algorithm:
    """Chains by stochastic-gradient Langevin dynamics; state is a `Noisy`, a batch holds examples, leaves `[B, ...]`.

    All chains see the same batch, of which devices, that split the chains, gather the whole.
    Metrics, over the chains: "potential" -log p(x, y) in nats, by the batch's estimate before the step.

    Args:
      log_likelihood: `log_likelihood(x, example) -> []` log p(y | x) of one example, leaves `[...]`.
      start: as in `hmc.hmc`.
      log_prior: log p(x) of a position, up to a constant.
      num_chains: C >= 1.
      num_data: N, examples in all.
      step_size: eps > 0 in units of x, or a function of the step's number `[]`, such as an optax schedule.
      axis: as in `core.descend`.
    """

    def begin(key):
        return Noisy(start(key), jnp.zeros((), jnp.int32))

    def move(key, state, batch):
        size = jax.tree.leaves(batch)[0].shape[0]

        def log_density(x):
            return log_prior(x) + num_data / size * jax.vmap(log_likelihood, (None, 0))(x, batch).sum()

        log_p, score = jax.value_and_grad(log_density)(state.position)
        eps = step_size(state.count) if callable(step_size) else step_size
        position = langevin(key, state.position, lambda x: score, step_size=eps, num_steps=1)
        return Noisy(position, state.count + 1), {"potential": -log_p}

    alg = side_by_side(begin, move, num_chains=num_chains)
    return alg._replace(step=lambda key, state, batch: alg.step(key, state, gathered(batch, axis)))
