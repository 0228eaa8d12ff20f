"""Bandits: which of several arms to pull, when all that is known of an arm is what it paid.

    regret(T) = sum_a Delta_a E[pulls of a],   Delta_a = mu* - mu_a

No rule that does well in every bandit has less, in the long run, than (Lai & Robbins 1985)

    log(T) sum_a Delta_a / KL(mu_a, mu*)   over the arms that are not the best.

Arms pay 1 with probability mu_a, else 0. A rule gives each arm an index, of the pulls and the pay so far, and the arm
with the largest is pulled. E copies of the bandit are played side by side, a pull each a step.

Sources: Lai & Robbins 1985, Advances in Applied Mathematics 6, theorem 1; Lattimore & Szepesvari 2020, Bandit
Algorithms (Cambridge).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import Algorithm, BadInput, Mean
from adl.core.types import Array, Key
from adl.prob import product

# (key, time [], pulls [K], pay [K]) -> index [K]; the time is the number of this pull, from 1
Rule = Callable[[Key, Array, Array, Array], Array]
TRIES = 4  # of a gamma variate by rejection, each of which is accepted with 0.95 at least
HALVINGS = 13  # of the interval that an index of `kl_ucb` lies in


class Pulls(NamedTuple):
    """What E players know of their K arms; axis 0 splits over devices."""

    count: Array  # [E, K] pulls
    pay: Array  # [E, K] sum of what they paid


def bandit(means: Sequence[float], *, rule: Rule, num_copies: int) -> Algorithm:
    """Players of one bandit, who do not know each other; state is `Pulls`, the batch is `()`.

    Reports means over the copies: "loss", what the arms of this step lose to the best, "regret", what was lost by now,
    and "growth", the loss times the time over the bound: what regret grows by for a nat of log T, of which the best
    rules have 1 in the long run.

    Args:
      means: K >= 2 probabilities, of which an arm pays 1, in (0, 1) and not all alike.
      rule: `epsilon_greedy(...)`, `ucb()`, `kl_ucb()`, `thompson()`, or another.
      num_copies: E >= 1, over all devices.

    Raises:
      BadInput: for other arms.

    Source: Lattimore & Szepesvari 2020, Bandit Algorithms, section 4.
    """
    means = np.asarray(means, np.float32)
    if not lai_robbins(means):
        raise BadInput(f"arms that all pay {means[0]:g}: there is nothing to learn")

    def init(key, batch=()):
        return Pulls(jnp.zeros((num_copies, len(means))), jnp.zeros((num_copies, len(means))))

    def one(key, count, pay):
        rule_key, tie_key, pay_key = jax.random.split(key, 3)
        index = rule(rule_key, count.sum() + 1, count, pay)
        # Any of the best: of arms that were never pulled, the index is infinite.
        arm = jnp.where(index == index.max(), jax.random.uniform(tie_key, index.shape), -1).argmax()
        pulled = jnp.arange(len(means)) == arm
        return count + pulled, pay + pulled * jax.random.bernoulli(pay_key, jnp.asarray(means)[arm]), arm

    def step(key, pulls, batch=()):
        count, pay, arm = jax.vmap(one)(jax.random.split(key, len(pulls.count)), *pulls)
        loss = means.max() - jnp.asarray(means)[arm]
        growth = count.sum(-1) * loss / lai_robbins(means)
        told = {"loss": loss, "regret": regret(means, count), "growth": growth}
        return Pulls(count, pay), {name: Mean.of(value) for name, value in told.items()}

    return Algorithm(init, step, Pulls(0, 0))


def regret(means: Sequence[float], count: Array) -> Array:
    """`[...]` what pulls `[..., K]` lost, in units of pay: to the best arm, in expectation over what they paid."""
    means = np.asarray(means, np.float32)
    return product.matmul(count, means.max() - means)


def lai_robbins(means: Sequence[float]) -> float:
    """What regret grows by, for each nat of log T, of the best rule there can be.

    Args:
      means: K >= 2 probabilities in (0, 1); where all are alike nothing is lost, and it is 0.

    Raises:
      BadInput: for others.

    Source: Lai & Robbins 1985, theorem 1.
    """
    means = np.asarray(means, float)
    if not ((means > 0) & (means < 1)).all():
        raise BadInput(f"arms that pay {list(map(float, means))}: the bound is of probabilities within (0, 1)")
    best, less = means.max(), means[means < means.max()]
    kl = less * np.log(less / best) + (1 - less) * np.log((1 - less) / (1 - best))
    return float(((best - less) / kl).sum())


def epsilon_greedy(epsilon: Array | float) -> Rule:
    """The arm that paid best on average; with epsilon any, for ever: regret grows by epsilon times the mean Delta.

    Source: Watkins 1989, PhD thesis, Cambridge; Sutton & Barto 2018, section 2.2.

    Args:
      epsilon: in [0, 1].
    """

    def index(key, time, count, pay):
        explore_key, arm_key = jax.random.split(key)
        any_arm = jax.random.uniform(arm_key, count.shape)
        return jnp.where(jax.random.uniform(explore_key) < epsilon, any_arm, _mean(count, pay, 1.0))

    return index


def ucb(width: Array | float = 2.0) -> Rule:
    """An upper confidence bound: mean + sqrt(w log t / n), infinite for an arm that was never pulled.

    Source: Auer, Cesa-Bianchi & Fischer 2002, Machine Learning 47, figure 1, where w = 2.

    Args:
      width: w > 0.
    """

    def index(key, time, count, pay):
        return _mean(count, pay, jnp.inf) + jnp.sqrt(width * jnp.log(time) / jnp.maximum(count, 1))

    return index


def kl_ucb() -> Rule:
    """The largest mean that is not ruled out yet: max{q : n KL(mean, q) <= log t}, by halving.

    Source: Garivier & Cappe 2011 (COLT), eq. 1, with c = 0 as they advise in practice; its regret meets the bound.
    """

    def index(key, time, count, pay):
        mean = _mean(count, pay, 0.0)
        most = jnp.log(time) / jnp.maximum(count, 1)
        own = jax.scipy.special.xlogy(mean, mean) + jax.scipy.special.xlogy(1 - mean, 1 - mean)

        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            kl = own - mean * jnp.log(middle) - (1 - mean) * jnp.log1p(-middle)
            return jnp.where(kl <= most, middle, low), jnp.where(kl <= most, high, middle)

        # Within Pinsker's bound, KL >= 2 (q - p)^2.
        low, _ = lax.fori_loop(0, HALVINGS, halve, (mean, jnp.minimum(mean + jnp.sqrt(most / 2), 1)))
        return jnp.where(count > 0, low, jnp.inf)

    return index


def thompson() -> Rule:
    """A draw of each arm's mean from what is believed of it: Beta(1 + pay, 1 + count - pay), from a uniform prior.

    Source: Thompson 1933, Biometrika 25; Kaufmann, Korda & Munos 2012 (ALT): its regret meets the bound.
    """

    def index(key, time, count, pay):
        won, lost = (_gamma(k, 1 + x) for k, x in zip(jax.random.split(key), (pay, count - pay), strict=True))
        return won / (won + lost)

    return index


def _mean(count: Array, pay: Array, of_none: float) -> Array:
    return jnp.where(count > 0, pay / jnp.maximum(count, 1), of_none)


def _gamma(key: Key, concentration: Array) -> Array:
    """Gamma variates of concentrations >= 1: the first of several tries that is accepted.

    A try fails once in twenty at the most, all of them once in 2e5 times; the mode stands for these. Not that of
    `jax.random`, which tries until all have one: in a loop that all devices leave together, one can wait for ever.
    Source: Marsaglia & Tsang 2000, ACM Trans. Mathematical Software 26(3).
    """
    normal_key, uniform_key = jax.random.split(key)
    shape = TRIES, *concentration.shape
    x, u = jax.random.normal(normal_key, shape), jax.random.uniform(uniform_key, shape)
    d = concentration[None] - 1 / 3
    v = (1 + x / jnp.sqrt(9 * d)) ** 3
    safe = jnp.where(v > 0, v, 1)
    accepted = (v > 0) & (jnp.log(u) < x**2 / 2 + d * (1 - safe + jnp.log(safe)))
    first = accepted & (jnp.cumsum(accepted, 0) == 1)
    return d[0] * jnp.where(accepted.any(0), (first * safe).sum(0), 1)
