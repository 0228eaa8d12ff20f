"""Hidden Markov models by expectation maximisation, with emissions of any exponential family.

    E:  g_t(i) = p(z_t = i | x),   n_ij = sum_t p(z_t = i, z_{t+1} = j | x)
    M:  A_ij = n_ij / sum_j n_ij,   p(z_1 = i) = g_1(i),   mean of T under state i = sum_t g_t(i) T(x_t) / sum_t g_t(i)

A step is both, over all sequences of the batch, and never lowers their likelihood (times the prior of the emissions).
Sources: Baum, Petrie, Soules & Weiss 1970, Annals of Mathematical Statistics 41(1); Bishop 2006, Pattern Recognition
and Machine Learning, section 13.2.1.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border, trace, tree
from adl.core.types import Array
from adl.graphical import hmm
from adl.graphical.hmm import MarkovChain, Smoothed
from adl.prob.exponential_family import Family
from adl.prob.product import einsum, matmul


class HMM(NamedTuple):
    """A hidden chain, and natural parameters of what each state says."""

    chain: MarkovChain
    emission: Array  # [K, P] eta


class _Counts(NamedTuple):
    """What is expected of the hidden states; counts of disjoint sequences add."""

    initial: Array  # [K]
    transition: Array  # [K, K]
    occupied: Array  # [K] observations of each state
    total: Array  # [K, P] sums of their T


@border.columns(x="[B, T, ...]", mask="[B, T]?")
def baum_welch(
    num_states: int,
    family: Family,
    *,
    start: Callable[[Key, PyTree], HMM] | None = None,
    smoother: Callable[[MarkovChain, Array], Smoothed] = hmm.smooth,
    prior_count: float = 1e-3,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of sequences; the state is an `HMM`.

    A batch is `{"x": [B, T, ...]}`, by default the same at every step: all sequences. An optional "mask" `[B, T]` is 0
    where nothing was observed: in gaps, and behind the end of a shorter sequence. Reports the `loss`, -log p(x) before
    the step, in nats an observation. A state that nothing leaves keeps its transitions.

    Args:
      num_states: K >= 1.
      family: of the observations, such as `exponential_family.categorical(5)` or `normal()`.
      start: `start(key, batch) -> HMM`; by default random transitions, and emissions each halfway between those of all
        observations and one of them.
      smoother: `smoother(chain, log_likelihood [T, K])`: `hmm.smooth`, or its equal of another speed.
      prior_count: > 0, observations of the family's standard member that each state is believed to have made besides;
        no probability becomes 0 and no variance does.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        transition_key, key = jax.random.split(key)
        x, mask = observed(batch)
        statistics, weight = told(x, mask), mask / mask.sum()
        pooled = (statistics * weight[..., None]).sum((0, 1))
        flat = statistics.reshape(-1, statistics.shape[-1])
        one = flat[jax.random.choice(key, len(flat), (num_states,), replace=False, p=weight.ravel())]
        chain = MarkovChain(
            jnp.full(num_states, 1 / num_states, jnp.float32),
            jax.random.dirichlet(transition_key, jnp.ones(num_states), (num_states,)),
        )
        return HMM(chain, fitted(pooled[None] + one, jnp.full(num_states, 2.0)))

    def told(x, mask):
        return jnp.where(mask[..., None] > 0, jax.vmap(jax.vmap(family.statistics))(x), 0)

    def fitted(total, count):
        imagined = prior_count * family.mean(family.start)
        return jax.vmap(family.fit)((total + imagined[None]) / (count + prior_count)[:, None])

    def measure(key, model, batch):
        x, mask = observed(batch)
        seen = jax.vmap(lambda x, mask: smoother(model.chain, log_likelihood(family, model.emission, x, mask)))(x, mask)
        # What comes after the last observation is no part of the data: it would only slow the steps.
        alive = lax.cummax(mask, axis=1, reverse=True) if "mask" in batch else mask
        r = seen.smoothed * mask[..., None]
        counts = _Counts(
            (seen.smoothed[:, 0] * alive[:, :1]).sum(0),
            jax.vmap(lambda seen, weight: seen.transitions(model.chain, weight))(seen, alive[:, 1:]).sum(0),
            r.sum((0, 1)),
            einsum("btk,btp->kp", r, told(x, mask)),
        )
        return counts, {"loss": Mean(-seen.filtered.log_evidence.sum(), mask.sum())}

    def move(model, counts):
        chain = MarkovChain(
            _shares(counts.initial, model.chain.initial), _shares(counts.transition, model.chain.transition)
        )
        return HMM(chain, fitted(counts.total, counts.occupied))

    return Algorithm(start or init, accumulate(measure, move, axis))


def likeliest(algorithm: Algorithm, num_starts: int, num_steps: int = 20) -> Callable[[Key, PyTree], HMM]:
    """`start(key, batch)`: the likeliest of random starts, after some steps of each.

    Args:
      algorithm: of `baum_welch`.
      num_starts: >= 1.
      num_steps: of each start, >= 1.
    """

    def start(key, batch):
        def one(key):
            init_key, key = jax.random.split(key)
            model, _ = trace(algorithm, num_steps, view=lambda model: ())(key, algorithm.init(init_key, batch), batch)
            _, metrics = algorithm.step(key, model, batch)
            return model, metrics["loss"].value

        models, losses = jax.vmap(one)(jax.random.split(key, num_starts))
        return tree.take(models, losses.argmin())

    return start


def goes_on(key: Key, model: HMM, token: Array, num_tokens: int = 64) -> Array:
    """Symbols `[1, num_tokens]` drawn after those of a prompt `[1, T]`, of a model whose emissions are categorical.

    Args:
      key: consumed.
      model: with log-probabilities `[K, V]` of the symbols, up to a constant, as its emission.
      token: `[1, T]` integers in 0 ... V - 1.
      num_tokens: >= 1.
    """
    state_key, key = jax.random.split(key)
    log_p = jax.nn.log_softmax(model.emission)[:, token[0]].T
    seen = hmm.forward(model.chain, log_p)
    then = model.chain._replace(initial=seen.filtered[-1] @ model.chain.transition)
    states = hmm.sample(state_key, then, num_tokens)
    return jax.random.categorical(key, model.emission[states])[None]


def log_likelihood(family: Family, emission: Array, x: Array, mask: Array | None = None) -> Array:
    """log p(x_t | z_t) `[T, K]` in nats of a sequence `x [T, ...]` under emissions `[K, P]`; 0 where `mask [T]` is."""
    eta_t = matmul(jax.vmap(family.statistics)(x), emission.T)
    log_p = eta_t - jax.vmap(family.log_partition)(emission)[None] + jax.vmap(family.log_base)(x)[:, None]
    return log_p if mask is None else jnp.where(mask[:, None] > 0, log_p, 0)


def observed(batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """Sequences `x [B, T, ...]` of a batch, and its "mask" `[B, T]`, or 1 for each."""
    return batch["x"], jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["x"].shape[:2]).astype(jnp.float32)


def _shares(counts: Array, otherwise: Array) -> Array:
    """_Counts `[..., K]` over their sum, or what was where nothing is counted."""
    total = counts.sum(-1, keepdims=True)
    return jnp.where(total > 0, counts / jnp.where(total > 0, total, 1), otherwise)
