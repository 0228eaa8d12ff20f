"""Distributions of numbers that can be counted.

A distribution is a NamedTuple of its parameters, so it is a pytree: jit, grad and vmap see through it. Parameters are
those of one distribution, `[]` or `[K]`; `jax.vmap` makes many. `sample(key, shape)` draws `[*shape, ...]`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key
from adl.prob.counts import draw_binomial, draw_poisson
from adl.prob.distributions import bernoulli_log_prob, categorical_entropy, categorical_log_prob, log_shares
from adl.prob.special import HALF_LOG_2PI, log_multinomial, log_poisson, safe_product
from adl.prob.tails import beta_tails, gamma_tails

WINDOW = 256  # integers around the mean that an entropy is summed over


class Bernoulli(NamedTuple):
    """1 with probability sigmoid(logits), else 0."""

    logits: Array  # [] log-odds of 1

    def log_prob(self, x: Array) -> Array:
        """`[...]` of x in {0, 1}."""
        return bernoulli_log_prob(x, self.logits)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x)."""
        return jnp.where(x < 0, 0, jnp.where(x < 1, jax.nn.sigmoid(-self.logits), 1))

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` draws, int32."""
        return jax.random.bernoulli(key, jax.nn.sigmoid(self.logits), shape).astype(jnp.int32)

    def mean(self) -> Array:
        """`[]` probability of 1."""
        return jax.nn.sigmoid(self.logits)

    def variance(self) -> Array:
        """`[]` p (1 - p)."""
        return jax.nn.sigmoid(self.logits) * jax.nn.sigmoid(-self.logits)

    def entropy(self) -> Array:
        """`[]` nats, in [0, log 2]."""
        odds = jnp.abs(self.logits)  # the entropy is even, and flat at 0
        return jnp.log1p(jnp.exp(-odds)) + safe_product(odds, jax.nn.sigmoid(-odds))


class Categorical(NamedTuple):
    """One of K classes; its moments are those of the indicator of each class."""

    logits: Array  # [K] up to a constant

    def log_prob(self, x: Array) -> Array:
        """`[...]` of classes x in 0 ... K - 1."""
        x = jnp.asarray(x)
        return categorical_log_prob(x, jnp.broadcast_to(self.logits, (*x.shape, self.logits.shape[-1])))

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x)."""
        below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(self.mean())])
        return below[jnp.clip(jnp.floor(x).astype(jnp.int32) + 1, 0, len(self.logits))]

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` classes, int32."""
        return jax.random.categorical(key, log_shares(self.logits), shape=shape)

    def mean(self) -> Array:
        """`[K]` probabilities."""
        return jnp.exp(log_shares(self.logits))

    def variance(self) -> Array:
        """`[K]` of each class's indicator."""
        return self.mean() * (1 - self.mean())

    def entropy(self) -> Array:
        """`[]` nats, in [0, log K]."""
        return categorical_entropy(self.logits)


class Binomial(NamedTuple):
    """How many of `num_trials` succeed, each with probability sigmoid(logits)."""

    num_trials: Array  # [] n >= 0
    logits: Array  # [] log-odds of a success

    def log_prob(self, x: Array) -> Array:
        """`[...]` of integers x; -inf outside 0 ... n."""
        n = jnp.asarray(self.num_trials, jnp.float32)
        inside = (x >= 0) & (x <= n)
        x = jnp.where(inside, x, 0).astype(jnp.float32)
        log_p, log_q = jax.nn.log_sigmoid(self.logits), jax.nn.log_sigmoid(-self.logits)
        extreme = safe_product(x, log_p) + safe_product(n - x, log_q)
        is_extreme = ((x == 0) | (x == n))[..., None]  # there p^n is all there is, however small p
        counts = jnp.stack([x, n - x], -1)
        each = jnp.broadcast_to(jnp.stack([log_p, log_q]), counts.shape)
        log_mean = jnp.where(is_extreme, 0, jnp.log(jnp.maximum(n, 1)) + each)
        mean = jnp.where(is_extreme, 1, n * jnp.exp(each))
        middle = log_multinomial(jnp.where(is_extreme, 1, counts), mean, log_mean)
        return jnp.where(inside, jnp.where(is_extreme[..., 0], extreme, middle), -jnp.inf)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.beta_tails`."""
        n, x = jnp.asarray(self.num_trials, jnp.float32), jnp.floor(x)
        inside = (x >= 0) & (x < n)
        k = jnp.where(inside, x, 0)
        p, q = jax.nn.sigmoid(self.logits), jax.nn.sigmoid(-self.logits)
        low, _ = beta_tails(jnp.where(inside, n - k, 1), k + 1, q, p)
        return jnp.where(inside, low, jnp.where(jnp.isnan(x), x, x >= n))

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` counts, int32; -1 where n is more than that holds."""
        n, p = jnp.asarray(self.num_trials, jnp.float32), jax.nn.sigmoid(-jnp.abs(self.logits))
        rarer = draw_binomial(key, n, p, shape)
        return jnp.where(rarer < 0, -1, jnp.where(self.logits > 0, n.astype(jnp.int32) - rarer, rarer))

    def mean(self) -> Array:
        """`[]` n p."""
        return self.num_trials * jax.nn.sigmoid(self.logits)

    def variance(self) -> Array:
        """`[]` n p (1 - p)."""
        return self.mean() * jax.nn.sigmoid(-self.logits)

    def entropy(self) -> Array:
        """`[]` nats."""
        spread = jax.nn.sigmoid(self.logits) * jax.nn.sigmoid(-self.logits)
        return _lattice_entropy(self.log_prob, self.mean(), self.variance(), (4 * spread - 1) / 12)


class Poisson(NamedTuple):
    """Events in a unit of time at a rate."""

    rate: Array  # [] > 0

    def log_prob(self, x: Array) -> Array:
        """`[...]` of integers x; -inf below 0."""
        return jnp.where(x >= 0, log_poisson(jnp.maximum(x, 0).astype(jnp.float32), self.rate), -jnp.inf)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.gamma_tails`."""
        _, high = gamma_tails(jnp.floor(jnp.where(x < 0, 0, x)) + 1.0, self.rate)
        return jnp.where(x < 0, 0, high)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` counts, int32; -1 where they are more than that holds, from a rate of 2.147e9 on."""
        return draw_poisson(key, jnp.asarray(self.rate, jnp.float32), shape)

    def mean(self) -> Array:
        """`[]` the rate."""
        return self.rate

    def variance(self) -> Array:
        """`[]` the rate, too."""
        return self.rate

    def entropy(self) -> Array:
        """`[]` nats."""
        return _lattice_entropy(self.log_prob, self.rate, self.rate, -1 / 12)


class NegativeBinomial(NamedTuple):
    """Poisson events whose rate is Gamma(concentration, rate): what a conjugate posterior expects next."""

    concentration: Array  # [] > 0
    rate: Array  # [] > 0

    def log_prob(self, x: Array) -> Array:
        """`[...]` of integers x; -inf below 0.

        Gamma(a + x) / (Gamma(a) x!) p^a (1 - p)^x,   p = rate / (1 + rate)
        """
        inside, a = x >= 0, self.concentration
        x = jnp.where(inside, x, 0).astype(jnp.float32)
        n, p = a + x, self.rate / (1 + self.rate)
        counts = jnp.stack([jnp.broadcast_to(a, x.shape), x], -1)
        log_p = log_multinomial(counts, jnp.stack([n * p, n / (1 + self.rate)], -1)) + jnp.log(a / n)
        # Without an event only p^a is left, which log1p knows better.
        return jnp.where(inside, jnp.where(x > 0, log_p, -a * jnp.log1p(1 / self.rate)), -jnp.inf)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), as right as `tails.beta_tails`."""
        k = jnp.floor(jnp.where(x < 0, 0, x))
        low, _ = beta_tails(self.concentration, k + 1.0, self.rate / (1 + self.rate), 1 / (1 + self.rate))
        return jnp.where(x < 0, 0, low)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` counts, int32; -1 where they are more than that holds."""
        gamma_key, key = jax.random.split(key)
        return draw_poisson(key, jax.random.gamma(gamma_key, self.concentration, shape) / self.rate, shape)

    def mean(self) -> Array:
        """`[]` that of the rates."""
        return self.concentration / self.rate

    def variance(self) -> Array:
        """`[]` the mean of the rates, and their variance."""
        return self.mean() * (1 + 1 / self.rate)


def _lattice_entropy(log_prob: Callable, mean: Array, variance: Array, correction: Array | float) -> Array:
    """The sum of -p log p around the mean, or where it is wide log(2 pi e variance) / 2 + correction / variance.

    Source of the series: Knessl 1998, Applied Mathematics Letters 11(1).
    """
    few = jnp.where(variance < WINDOW / 2, mean, 0)
    x = jnp.maximum(jnp.floor(few) - WINDOW // 2, 0) + jnp.arange(WINDOW)
    log_p = log_prob(x)
    summed = -jnp.where(log_p > -100, jnp.exp(log_p) * jnp.where(log_p > -100, log_p, 0), 0).sum()
    wide = jnp.maximum(variance, WINDOW / 2)
    return jnp.where(variance < WINDOW / 2, summed, 0.5 * jnp.log(wide) + HALF_LOG_2PI + 0.5 + correction / wide)
