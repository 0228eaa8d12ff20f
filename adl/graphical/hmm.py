"""The hidden Markov model: a chain of states that nobody sees, and what each says of itself.

    p(z, x) = p(z_1) prod_t p(z_{t+1} | z_t) prod_t p(x_t | z_t)

    filtered   a_t(i) = p(z_t = i | x_1 ... x_t),   predicted   c_{t+1}(j) = sum_i a_t(i) A_ij
    smoothed   g_t(i) = a_t(i) sum_j A_ij g_{t+1}(j) / c_{t+1}(j),   evidence   p(x) = prod_t sum_i c_t(i) p(x_t | i)

All is exact, in time T K^2, and read from log p(x_t | z_t) alone, `[T, K]` for one sequence: `jax.vmap` makes many. A
row of zeros is an observation that is missing. Every probability is normalised as it comes, and what all states have
in common at a time is put aside before, so that no length and no scale of the evidence costs digits. A state whose
filtered probability falls below 1e-37 counts as impossible from then on, unless another leads to it.
Source: Rabiner 1989, Proceedings of the IEEE 77(2), section III; Bishop 2006, Pattern Recognition and Machine Learning,
section 13.2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.summation import total
from adl.core.types import Array, Key
from adl.prob.product import matmul
from adl.prob.special import safe_log, safe_ratio


class MarkovChain(NamedTuple):
    """A Markov chain over K states."""

    initial: Array  # [K] p(z_1)
    transition: Array  # [K, K] p(z_{t+1} = j | z_t = i); rows sum to 1


class Filtered(NamedTuple):
    """What is known of each state from the observations up to its time."""

    filtered: Array  # [T, K] p(z_t | x_1 ... x_t)
    predicted: Array  # [T, K] p(z_t | x_1 ... x_{t-1})
    log_evidence: Array  # [T] log p(x_t | x_1 ... x_{t-1}) in nats; their sum is log p(x)


class Smoothed(NamedTuple):
    """What is known of each state from all observations."""

    smoothed: Array  # [T, K] p(z_t | x)
    filtered: Filtered

    def transitions(self, chain: MarkovChain, weight: Array | None = None) -> Array:
        """`[K, K]` expected number of transitions from i to j, sum_t p(z_t = i, z_{t+1} = j | x).

        Args:
          chain: with which the sequence was smoothed.
          weight: `[T - 1]` of the transitions; 1 for each by default.
        """
        ahead = safe_ratio(self.smoothed, self.filtered.predicted)[1:]
        before = self.filtered.filtered[:-1] if weight is None else self.filtered.filtered[:-1] * weight[:, None]
        return chain.transition * matmul(before.T, ahead)


def forward(chain: MarkovChain, log_likelihood: Array) -> Filtered:
    """Filtered states of one sequence, and its evidence.

    Args:
      chain: of K states.
      log_likelihood: `[T, K]` log p(x_t | z_t) in nats; -inf where a state cannot have said that.
    """

    def step(predicted, log_p):
        filtered, ahead, log_evidence = advance(chain.transition, predicted, log_p)
        return ahead, Filtered(filtered, predicted, log_evidence)

    return lax.scan(step, chain.initial, log_likelihood)[1]


def advance(transition: Array, predicted: Array, log_p: Array) -> tuple[Array, Array, Array]:
    """One observation: the filtered state `[K, ...]`, the next one predicted, and log p(x_t | x_1 ... x_{t-1}) `[...]`.

    Args:
      transition: `[K, K]`.
      predicted: `[K, ...]` p(z_t | x_1 ... x_{t-1}); axes behind the first are sequences side by side.
      log_p: of the same rank, log p(x_t | z_t). What is impossible leaves zeros, and an evidence of -inf.
    """
    # In logarithms: what is seen may be impossible under all states but those that are improbable. What all have in
    # common is taken off first: beside 10,000 nats of it the logarithm of a probability would lose its digits.
    shared = common(jnp.where(predicted > 0, log_p, -jnp.inf), 0)
    joint = safe_log(predicted) + (log_p - shared)
    top = common(joint, 0)
    joint = jnp.exp(joint - top)
    total = joint.sum(0)
    filtered = safe_ratio(joint, total[None])
    return filtered, onward(transition, filtered), shared[0] + (top[0] + safe_log(total))


def common(log_p: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """What all have in common along an axis `[..., 1]`: the largest, or 0 where that is not finite. No gradient."""
    top = lax.stop_gradient(log_p.max(axis, keepdims=True))
    return jnp.where(jnp.isfinite(top), top, 0)


def onward(transition: Array, state: Array) -> Array:
    """sum_i p(i) A_ij `[K, ...]`: a sum, and no matrix product, which would leave the one kernel of a short loop."""
    return (state[:, None] * lanes(transition, state)).sum(0)


def retreat(transition: Array, filtered: Array, predicted: Array, ratio: Array) -> tuple[Array, Array]:
    """A step back: smoothed states `[K, ...]`, and their ratio to the predicted ones, from that ratio a step later."""
    smoothed = filtered * (lanes(transition, ratio) * ratio[None]).sum(1)
    return smoothed, safe_ratio(smoothed, predicted)


def lanes(matrix: Array, beside: Array) -> Array:
    """A matrix `[K, K]` with the further axes, of size 1, of states `[K, ...]`."""
    return matrix.reshape(*matrix.shape, *[1] * (beside.ndim - 1))


def smooth(chain: MarkovChain, log_likelihood: Array) -> Smoothed:
    """Smoothed states of one sequence: forward, and back.

    Args:
      chain: of K states.
      log_likelihood: as in `forward`.
    """
    seen = forward(chain, log_likelihood)

    def step(ratio, now):
        smoothed, ratio = retreat(chain.transition, *now, ratio)
        return ratio, smoothed

    # Behind the last state there is nothing to know.
    _, smoothed = lax.scan(step, jnp.ones_like(chain.initial), (seen.filtered, seen.predicted), reverse=True)
    return Smoothed(smoothed, seen)


def viterbi(chain: MarkovChain, log_likelihood: Array) -> tuple[Array, Array]:
    """The most probable path `[T]` of states, int32, and log p(z, x) `[]` of it: of equally good ones, one.

    m_{t+1}(j) = max_i (m_t(i) + log A_ij) + log p(x_{t+1} | j)

    Only differences of m decide, so that its largest is 0 at each time, and no length costs digits; log p(z, x) is the
    sum over the path that was found. Where no path is possible it is -inf.

    Args:
      chain: of K states.
      log_likelihood: as in `forward`.
    Source: Viterbi 1967, IEEE Transactions on Information Theory 13(2).
    """
    log_transition, log_p = safe_log(chain.transition), log_likelihood - common(log_likelihood)

    def step(best, log_p):
        reached = (best - common(best))[:, None] + log_transition
        return reached.max(0) + log_p, reached.argmax(0)

    def back(state, before):
        return before[state], state

    best, before = lax.scan(step, safe_log(chain.initial) + log_p[0], log_p[1:])
    first, rest = lax.scan(back, best.argmax(), before, reverse=True)
    path = jnp.concatenate([first[None], rest])
    return path, log_joint(chain, log_likelihood, path)


def log_joint(chain: MarkovChain, log_likelihood: Array, path: Array) -> Array:
    """log p(z, x) `[]` in nats of a path `[T]` of states, summed as if in double precision.

    Args:
      chain: of K states.
      log_likelihood: as in `forward`.
      path: int `[T]`.
    """
    moves = safe_log(chain.transition)[path[:-1], path[1:]]
    said = jnp.take_along_axis(log_likelihood, path[:, None], 1)[:, 0]
    return total(jnp.concatenate([safe_log(chain.initial)[path[:1]], moves, said]))


def sample(key: Key, chain: MarkovChain, num_steps: int) -> Array:
    """`[T]` states, int32, of one sequence of so many steps."""
    logits = safe_log(chain.transition)
    first, key = jax.random.split(key)

    def step(state, key):
        return jax.random.categorical(key, logits[state]), state

    _, states = lax.scan(step, jax.random.categorical(first, safe_log(chain.initial)), jax.random.split(key, num_steps))
    return states


def stationary(transition: Array) -> Array:
    """`[K]` the probabilities that a transition leaves as they are, p A = p; of a chain that forgets its beginning.

    From the probabilities of leaving alone: those of staying, of states that are rarely left, are 1 but for a rounding.
    """
    leaving = transition * (1 - jnp.eye(len(transition)))
    # One of the K equations follows from the others: that of the sum takes its place.
    equations = (leaving - jnp.diag(leaving.sum(1))).at[:, -1].set(1.0).T
    return jnp.linalg.solve(equations, jnp.zeros(len(transition)).at[-1].set(1.0))
