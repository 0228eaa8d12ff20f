"""Distributions of real numbers, of shares, and of probabilities; as in `prob.discrete`, pytrees of one's parameters.

Samples are differentiable in the parameters: by location and scale, or implicitly through the cumulative distribution
function (gamma, and all that is made of gammas; Figurnov et al. 2018, arXiv:1805.08498).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, ndtr

from adl.core.types import Array, Key
from adl.prob.distributions import normal_log_prob, student_t_log_prob
from adl.prob.special import (
    HALF_LOG_2PI,
    digamma_error,
    log_multinomial,
    log_poisson,
    nodes_to,
    stirling_error,
)
from adl.prob.tails import beta_tails, gamma_tails


class Normal(NamedTuple):
    """The univariate Gaussian."""

    loc: Array  # []
    scale: Array  # [] > 0, standard deviation

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density."""
        return normal_log_prob(x, self.loc, jnp.log(self.scale))

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x)."""
        return ndtr((x - self.loc) / self.scale)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws."""
        return self.loc + self.scale * jax.random.normal(key, shape)

    def mean(self) -> Array:
        """`[]`."""
        return self.loc

    def variance(self) -> Array:
        """`[]`."""
        return jnp.square(self.scale)

    def entropy(self) -> Array:
        """`[]` nats: log(2 pi e variance) / 2, the largest of this variance."""
        return HALF_LOG_2PI + 0.5 + jnp.log(self.scale)


class Laplace(NamedTuple):
    """exp(-|x - loc| / scale) / (2 scale)."""

    loc: Array  # []
    scale: Array  # [] > 0, mean absolute deviation

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density."""
        return -jnp.abs(x - self.loc) / self.scale - jnp.log(2 * self.scale)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x)."""
        z = (x - self.loc) / self.scale
        tail = 0.5 * jnp.exp(-jnp.abs(z))
        return jnp.where(z < 0, tail, 1 - tail)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws."""
        return self.loc + self.scale * jax.random.laplace(key, shape)

    def mean(self) -> Array:
        """`[]`."""
        return self.loc

    def variance(self) -> Array:
        """`[]` 2 scale^2."""
        return 2 * jnp.square(self.scale)

    def entropy(self) -> Array:
        """`[]` nats."""
        return 1 + jnp.log(2 * self.scale)


class StudentT(NamedTuple):
    """A normal whose precision is gamma: heavy tails, which robust estimates want."""

    loc: Array  # []
    scale: Array  # [] > 0, not the standard deviation
    dof: Array  # [] > 0, degrees of freedom; infinite is the normal

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density."""
        return student_t_log_prob(x, self.loc, jnp.log(self.scale), self.dof)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.beta_tails`; with more than 1,000 degrees of freedom within 1e-7."""
        z = (x - self.loc) / self.scale
        few = jnp.where(self.dof < 1e3, self.dof, 1e3)
        is_near = jnp.square(z) <= jnp.minimum(few, 1)
        # About the middle the density's integral, which is odd in z as the tail is not.
        inner = jnp.where(is_near, z, 0)
        nodes, weights = nodes_to(inner, 16)
        density = jnp.exp(student_t_log_prob(nodes, 0.0, 0.0, few))
        ratio = few / jnp.square(jnp.where(is_near, 1, z))
        tail = 0.5 * beta_tails(0.5, few / 2, 1 / (1 + ratio), ratio / (1 + ratio))[1]
        exact = jnp.where(is_near, 0.5 + inner * (density @ weights), jnp.where(z < 0, tail, 1 - tail))
        # With more degrees of freedom a normal of another argument is as good. Source: Wallace 1959, eq. 3.1.
        many, z = jnp.where(self.dof < 1e3, 1e3, self.dof), jnp.clip(z, -1e15, 1e15)
        ratio = jnp.square(z) / many
        near = jnp.where(ratio > 0, jnp.log1p(ratio) / jnp.where(ratio > 0, ratio, 1), 1)
        return jnp.where(self.dof < 1e3, exact, ndtr((1 - 2 / (8 * many + 1)) * z * jnp.sqrt(near)))

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws."""
        finite = jnp.minimum(self.dof, 1e6)  # with so many degrees of freedom a t is normal
        return self.loc + self.scale * jax.random.t(key, finite, shape)

    def mean(self) -> Array:
        """`[]`; nan where dof <= 1."""
        return jnp.where(self.dof > 1, self.loc, jnp.nan)

    def variance(self) -> Array:
        """`[]`; infinite where dof <= 2, nan where dof <= 1."""
        finite = jnp.square(self.scale) / (1 - 2 / jnp.where(self.dof > 2, self.dof, 3.0))
        return jnp.where(self.dof > 2, finite, jnp.where(self.dof > 1, jnp.inf, jnp.nan))

    def entropy(self) -> Array:
        """`[]` nats.

        (v + 1) / 2 (psi((v + 1) / 2) - psi(v / 2)) - log p(loc)
        """
        few = jnp.where(self.dof < 8, self.dof, 1.0) / 2
        exact = (few + 0.5) * (digamma(few + 0.5) - digamma(few))
        r = 2 / jnp.where(self.dof < 8, 8.0, self.dof)
        # The series of the same, where the difference would be lost.
        series = (1 + 0.5 * r) * (0.5 + r / 8 - r**3 / 64 + r**5 / 128)
        return jnp.where(self.dof < 8, exact, series) - self.log_prob(self.loc)


class Gamma(NamedTuple):
    """rate^a x^(a - 1) e^(-rate x) / Gamma(a), of positive x, with a the concentration."""

    concentration: Array  # [] > 0, also called shape
    rate: Array  # [] > 0, in units of 1 / x

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density; -inf where x <= 0."""
        inside = x > 0
        x = jnp.where(inside, x, 1)
        log_p = log_poisson(self.concentration, self.rate * x) + jnp.log(self.concentration) - jnp.log(x)
        return jnp.where(inside, log_p, -jnp.inf)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.gamma_tails`."""
        return gamma_tails(self.concentration, jnp.where(x < 0, 0, self.rate * x))[0]

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws > 0, at least the smallest normal number."""
        x = jax.random.gamma(key, self.concentration, shape) / self.rate
        return jnp.maximum(x, jnp.finfo(x.dtype).tiny)

    def mean(self) -> Array:
        """`[]`."""
        return self.concentration / self.rate

    def variance(self) -> Array:
        """`[]`."""
        return self.mean() / self.rate

    def entropy(self) -> Array:
        """`[]` nats: a - log rate + log Gamma(a) + (1 - a) psi(a)."""
        a = self.concentration
        rest = stirling_error(a) + (1 - a) * digamma_error(a)
        return 0.5 * jnp.log(a) + HALF_LOG_2PI + rest - jnp.log(self.rate)


class Dirichlet(NamedTuple):
    """prod_k x_k^(a_k - 1) / B(a) of shares `[K]` that sum to 1."""

    concentration: Array  # [K] > 0

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density of the first K - 1 of `x [..., K]` >= 0.

        At a share of 0 it is what it tends to: -inf where the concentration is above 1, inf where below.
        """
        a = jnp.broadcast_to(self.concentration, x.shape)
        n, is_some = a.sum(-1), x > 0
        some = jnp.where(is_some, x, 1)
        # Of a share of 0 only (a - 1) log x is not finite: the rest is taken at x = 1, where log x is 0.
        mean, log_mean = n[..., None] * x, jnp.log(n)[..., None] + jnp.log(some)
        at_zero = jnp.where(is_some | (a == 1), 0, jnp.where(a > 1, -jnp.inf, jnp.inf))
        return log_multinomial(a, mean, log_mean) + (jnp.log(a) - jnp.log(some) + at_zero).sum(-1) - jnp.log(n)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, K]` draws > 0: shares below the smallest normal number of float32 are set to that."""
        x = jax.random.dirichlet(key, self.concentration, shape)
        return jnp.maximum(x, jnp.finfo(x.dtype).tiny)

    def mean(self) -> Array:
        """`[K]`."""
        return self.concentration / self.concentration.sum()

    def variance(self) -> Array:
        """`[K]` of each share."""
        return self.mean() * (1 - self.mean()) / (1 + self.concentration.sum())

    def entropy(self) -> Array:
        """`[]` nats: log B(a) + (n - K) psi(n) - sum_k (a_k - 1) psi(a_k),   n = sum a."""
        a, n, k = self.concentration, self.concentration.sum(), self.concentration.shape[-1]
        parts = (0.5 * jnp.log(a) + stirling_error(a) - (a - 1) * digamma_error(a)).sum()
        whole = (0.5 - k) * jnp.log(n) - stirling_error(n) + (n - k) * digamma_error(n)
        return parts + whole + (k - 1) * HALF_LOG_2PI


class Beta(NamedTuple):
    """x^(alpha - 1) (1 - x)^(beta - 1) / B(alpha, beta) of x in (0, 1): the Dirichlet of two shares."""

    alpha: Array  # [] > 0
    beta: Array  # [] > 0

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density; -inf outside (0, 1)."""
        inside = (x > 0) & (x < 1)
        x = jnp.where(inside, x, 0.5)
        return jnp.where(inside, self._shares().log_prob(jnp.stack([x, 1 - x], -1)), -jnp.inf)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.beta_tails`."""
        return beta_tails(self.alpha, self.beta, x, 1 - x)[0]

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws in (0, 1): what float32 would round to an end is the last number before it."""
        x = jax.random.beta(key, self.alpha, self.beta, shape)
        info = jnp.finfo(x.dtype)
        return jnp.clip(x, info.tiny, 1 - info.epsneg)

    def mean(self) -> Array:
        """`[]`."""
        return self._shares().mean()[0]

    def variance(self) -> Array:
        """`[]`."""
        return self._shares().variance()[0]

    def entropy(self) -> Array:
        """`[]` nats, <= 0."""
        return self._shares().entropy()

    def _shares(self) -> Dirichlet:
        return Dirichlet(jnp.stack([jnp.asarray(self.alpha, jnp.float32), jnp.asarray(self.beta, jnp.float32)]))
