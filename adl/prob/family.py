"""The exponential family as one type: everything follows from the statistics T and the log-partition A.

    p(x) = h(x) exp(eta . T(x) - A(eta)),      mu = E[T(x)] = grad A(eta),      Cov[T(x)] = hess A(eta)

eta `[P]` are the natural parameters, mu `[P]` the mean parameters; `prob.exponential_family` has its members.
Source: Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.4.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from adl.core.types import Array
from adl.prob.moment_match import moment_match

SURE = 104.0  # log-odds of what float32 cannot tell from certain


class Family(NamedTuple):
    """One family; functions of one observation x, and of one vector of parameters `[P]`."""

    statistics: Callable[[Array], Array]  # T: x -> [P]
    log_partition: Callable[[Array], Array]  # A: eta [P] -> []; nan or inf outside the domain
    natural: Callable[[Any], Array]  # a distribution of the family -> eta
    distribution: Callable[[Array], Any]  # eta -> the distribution
    start: Array  # [P] an eta within the domain
    log_base: Callable[[Array], Array] = lambda x: jnp.float32(0)  # log h: x -> []
    dual: Callable[[Array], Array] | None = None  # mu -> eta in closed form; None: Newton's method
    posterior: Callable[[Array, Array], Any] | None = None  # (total [P], count []) -> belief in the usual parameters
    predictive: Callable[[Array, Array], Any] | None = None  # (total, count) -> distribution of the next x
    about: Callable[[Array], "Family"] | None = None  # place -> the same, with squares about a place near the data

    def log_prob(self, x: Array, eta: Array) -> Array:
        """log h(x) + eta . T(x) - A(eta) `[]` of one x, as the distribution knows it: without a large difference."""
        return self.distribution(eta).log_prob(x)

    def mean(self, eta: Array) -> Array:
        """mu `[P]` = grad A(eta)."""
        return jax.grad(self.log_partition)(eta)

    def fisher(self, eta: Array) -> Array:
        """`[P, P]` Fisher information about eta, the covariance of T: hess A(eta)."""
        return jax.hessian(self.log_partition)(eta)

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p || q) `[]` in nats of two eta, the Bregman divergence A(q) - A(p) - (q - p) . grad A(p).

        Infinite eta, of what is certain or cannot be, have their limit. Its error is 1e-7 of the largest term.
        """
        both, apart = jnp.isinf(p) & (p == q), jnp.isinf(q) & (p != q)
        p = jnp.where(jnp.isinf(p), jnp.sign(p) * SURE, p)
        q = jnp.where(both | apart, jnp.sign(q) * SURE, q)
        mean = self.mean(p)
        value = self.log_partition(q) - self.log_partition(p) - (q - p) @ mean
        # What p is not certain of, q rules out.
        return jnp.where((apart & (jnp.abs(q - p) * jnp.abs(mean) > 0)).any(), jnp.inf, value)

    def fit(self, mean: Array) -> Array:
        """eta `[P]` whose mean parameters are `mean [P]`: maximum likelihood, where it is the mean of T over data.

        It is where eta . mean - A(eta) is largest, which has one maximum. Differentiable.

        Args:
          mean: of the interior of what T can average to: not of a single observation where T is more than x.
        """
        return self.dual(mean) if self.dual else moment_match(self.log_partition, mean, self.start)

    def prior_log_prob(self, eta: Array, total: Array, count: Array) -> Array:
        """total . eta - count A(eta) `[]`: the conjugate prior's log-density in eta, up to a constant.

        Args:
          eta: `[P]`.
          total: `[P]` sum of T over imagined observations; with data, over these too.
          count: `[]` > 0, their number.
        """
        return total @ eta - count * self.log_partition(eta)
