"""The hidden Markov model in fewer than T steps: the results of `hmm`, from scans that need not begin at the start.

Given a state, what follows is independent of what led there. So observations can be read before it is known where they
begin: from each of the K states at once. What that yields, for a stretch of the sequence, is an associative product:

    P(i, j) = p(next state = j | x, first state = i),   l(i) = log p(x | first state = i)
    first a, then b:   P(i, .) = sum_k W(i, k) P_b(k, .),   l(i) = l_a(i) + log sum_k P_a(i, k) exp(l_b(k))

with W(i, k) in proportion to the terms of that sum. Either `num_blocks` equal blocks are read side by side by the very
steps of `hmm`: from each state, to learn where the next one begins, and once more from there. Or, from `num_blocks` = T
on, all prefixes come from a tree of log T levels (`jax.lax.associative_scan`), for devices with lanes to spare.
Sources: Hassan, Sarkka & Garcia-Fernandez 2021, arXiv:2102.05743; Sarkka & Garcia-Fernandez 2021, arXiv:1905.13002.
"""

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.graphical.hmm import Filtered, MarkovChain, Smoothed, advance, common, lanes, log_joint, retreat
from adl.prob.product import matmul
from adl.prob.special import safe_log, safe_ratio

BLOCKS = 256  # on CPU the best of 64 ... 512 for T = 4,096


def forward(chain: MarkovChain, log_likelihood: Array, *, num_blocks: int = BLOCKS) -> Filtered:
    """As `hmm.forward`.

    Args:
      chain: of K states.
      log_likelihood: `[T, K]` log p(x_t | z_t) in nats.
      num_blocks: >= 1, of about T / num_blocks steps each; from T on a tree.
    """
    length, shared = len(log_likelihood), common(log_likelihood)
    if num_blocks >= length:
        seen = _forward_tree(chain, log_likelihood - shared)
    else:
        seen = _forward_blocks(chain, _blocks(log_likelihood - shared, num_blocks))
        seen = jax.tree.map(lambda leaf: _joined(leaf, length), seen)
    return seen._replace(log_evidence=seen.log_evidence + shared[:, 0])


def smooth(chain: MarkovChain, log_likelihood: Array, *, num_blocks: int = BLOCKS) -> Smoothed:
    """As `hmm.smooth`; arguments as of `forward`."""
    length, shared = len(log_likelihood), common(log_likelihood)
    if num_blocks >= length:
        return _smooth_tree(chain, forward(chain, log_likelihood, num_blocks=num_blocks))
    seen = _forward_blocks(chain, _blocks(log_likelihood - shared, num_blocks))
    now = seen.filtered, seen.predicted

    def read(ratio, now):
        return retreat(chain.transition, now[0][:, None], now[1][:, None], ratio)[1], None

    through, _ = lax.scan(read, _every(chain, num_blocks), now, reverse=True)

    def end(ratio, through):
        return (through * ratio[None]).sum(1), ratio

    _, ends = lax.scan(end, jnp.ones_like(chain.initial), jnp.moveaxis(through, -1, 0), reverse=True)

    def step(ratio, now):
        smoothed, ratio = retreat(chain.transition, *now, ratio)
        return ratio, smoothed

    _, smoothed = lax.scan(step, ends.T, now, reverse=True)
    smoothed, seen = jax.tree.map(lambda leaf: _joined(leaf, length), (smoothed, seen))
    return Smoothed(smoothed, seen._replace(log_evidence=seen.log_evidence + shared[:, 0]))


def viterbi(chain: MarkovChain, log_likelihood: Array, *, num_blocks: int = BLOCKS) -> tuple[Array, Array]:
    """As `hmm.viterbi`; arguments as of `forward`, but never a tree.

    Blocks are searched from each first state, and traced back from each last one.
    """
    length, num_states = log_likelihood.shape
    x = _blocks(log_likelihood - common(log_likelihood), min(num_blocks, length))
    # From the last state on nothing moves.
    is_last = jnp.arange(x.shape[0] * x.shape[2]).reshape(x.shape[2], -1).T >= length - 1
    steps = x, is_last[:, None]
    log_transition, log_stay = safe_log(chain.transition), jnp.log(jnp.eye(num_states))

    def reach(best, is_last):
        move, stay = lanes(log_transition, best), lanes(log_stay, best)
        return best[:, None] + jnp.where(is_last[None], stay, move)

    def read(best, now):
        log_p, is_last = now
        best = reach(best + log_p[:, None], is_last[:, None]).max(0)
        return best - common(best, (0, 1)), None

    through, _ = lax.scan(read, jnp.log(_every(chain, x.shape[-1])), steps)

    def begin(best, through):
        reached = (through + best[None]).max(1)
        return reached - common(reached, 0), best

    _, begins = lax.scan(begin, safe_log(chain.initial), jnp.moveaxis(through, -1, 0))

    def step(best, now):
        # The pointers out of a step, rather than into it: a block's last leads to the next block's first.
        log_p, is_last = now
        reached = reach(best + log_p, is_last)
        best = reached.max(0)
        return best - common(best, 0), reached.argmax(0)

    best, before = lax.scan(step, begins.T, steps)

    def back(state, before):
        state = jnp.take_along_axis(before, state, 0)
        return state, state

    every = jnp.broadcast_to(jnp.arange(num_states)[:, None], best.shape)
    first, _ = lax.scan(back, every, before, reverse=True)

    def end(state, first):
        return first[state], state

    _, ends = lax.scan(end, best[:, -1].argmax(), first.T, reverse=True)
    _, path = lax.scan(back, ends[None], before, reverse=True)
    path = _joined(path, length)[:, 0]
    return path, log_joint(chain, log_likelihood, path)


def _forward_blocks(chain: MarkovChain, x: Array) -> Filtered:
    """Filtered states `[L, K, S]` and evidence `[L, S]` of S blocks of one sequence, log-likelihoods `x [L, K, S]`."""

    def read(carry, log_p):
        _, ahead, log_evidence = advance(chain.transition, carry[0], log_p[:, None])
        total = carry[1] + log_evidence
        return (ahead, total - common(total, 0)), None

    nothing = jnp.zeros(x.shape[1:])
    (through, log_evidence), _ = lax.scan(read, (_every(chain, x.shape[-1]), nothing), x)

    def begin(predicted, block):
        through, log_evidence = block
        first, _, _ = advance(chain.transition, predicted, log_evidence)
        return (through * first[None]).sum(1), predicted

    _, begins = lax.scan(begin, chain.initial, (jnp.moveaxis(through, -1, 0), log_evidence.T))

    def step(predicted, log_p):
        filtered, ahead, log_evidence = advance(chain.transition, predicted, log_p)
        return ahead, Filtered(filtered, predicted, log_evidence)

    return lax.scan(step, begins.T, x)[1]


def _forward_tree(chain: MarkovChain, log_likelihood: Array) -> Filtered:
    def then(a, b):
        weight = safe_log(a[0]) + jnp.swapaxes(b[1], -1, -2)
        total = jax.nn.logsumexp(weight, -1, keepdims=True)
        weight = jnp.where(total > -jnp.inf, jnp.exp(weight - jnp.where(total > -jnp.inf, total, 0)), 0)
        total += a[1]
        return matmul(weight, b[0]), total - common(total, -2)

    # One step from state i: z_t = i itself is read, then left. The start is the same, whatever i.
    ahead = jnp.broadcast_to(chain.transition[None], (len(log_likelihood), *chain.transition.shape))
    _, after, log_evidence = advance(chain.transition, chain.initial, log_likelihood[0])
    ahead = ahead.at[0].set(jnp.broadcast_to(after[None], chain.transition.shape))
    totals = log_likelihood[..., None].at[0].set(log_evidence)
    ahead, totals = lax.associative_scan(then, (ahead, totals))
    predicted = jnp.concatenate([chain.initial[None], ahead[:-1, 0]])
    filtered, _, log_evidence = advance(chain.transition, predicted.T, log_likelihood.T)
    return Filtered(filtered.T, predicted, log_evidence)


def _smooth_tree(chain: MarkovChain, seen: Filtered) -> Smoothed:
    """Smoothed states by products of p(z_t = i | z_{t+1} = j, x_1 ... x_t), `[T, K, K]`."""
    back = seen.filtered[:-1, :, None] * safe_ratio(chain.transition[None], seen.predicted[1:, None])
    last = jnp.broadcast_to(seen.filtered[-1][:, None], chain.transition.shape)

    def then(later, earlier):
        return matmul(earlier, later)

    products = lax.associative_scan(then, jnp.concatenate([back, last[None]]), reverse=True)
    # Each product loses a rounding of its sum, and there are many.
    return Smoothed(products[:, :, 0] / products[:, :, 0].sum(1, keepdims=True), seen)


def _every(chain: MarkovChain, num_blocks: int) -> Array:
    """`[K, K, S]` each state as the only one, for each block."""
    return jnp.broadcast_to(jnp.eye(len(chain.initial))[:, :, None], (*chain.transition.shape, num_blocks))


def _blocks(x: Array, num_blocks: int) -> Array:
    """`[L, K, S]` rows `x [T, K]` in S blocks side by side, filled up with rows that say nothing."""
    length = -(-len(x) // num_blocks)
    filled = jnp.pad(x, ((0, num_blocks * length - len(x)), (0, 0)))
    return filled.reshape(num_blocks, length, -1).transpose(1, 2, 0)


def _joined(x: Array, length: int) -> Array:
    """`[T, ...]` one after the other, of blocks side by side `[L, ..., S]`."""
    rows = jnp.moveaxis(x, -1, 0)
    return rows.reshape(-1, *rows.shape[2:])[:length]
