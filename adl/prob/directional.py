"""Distributions of directions: von Mises on the circle, von Mises-Fisher on the sphere in any dimension.

    p(x) = exp(k mean . x) / Z_D(k),   Z_D(k) = |S^(D-2)| integral_0^pi exp(k cos t) sin(t)^(D-2) dt

All there is to know is the angle t between x and the mean. Its integrals are taken by Gauss and Legendre's rule where
they are not zero, so that they are accurate, and differentiable in k, from k = 0 to the largest.
Source: Mardia & Jupp 2000, Directional Statistics, section 9.3.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from adl.core.types import Array, Key
from adl.prob.special import gauss_legendre, safe_norm

NODES, WEIGHTS = 128, 64  # of a normaliser; of a cumulative distribution function


class VonMises(NamedTuple):
    """exp(k cos(x - loc)) / (2 pi I_0(k)) of angles x, in radians."""

    loc: Array  # [] radians
    concentration: Array  # [] k >= 0; 0 is uniform, for large k the variance is 1 / k

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density, of period 2 pi."""
        # cos - 1 without cancellation
        away = -2 * jnp.square(jnp.sin((x - self.loc) / 2))
        return self.concentration * away - log_normaliser(self.concentration, 2)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x) over one turn about the mean: 0 at loc - pi, 1 at loc + pi."""
        t, k = jnp.clip(x - self.loc, -jnp.pi, jnp.pi), self.concentration
        # An odd function of t, without a kink in the middle.
        end = jnp.clip(t, -_bound(k, 2), _bound(k, 2))
        log_mean = jnp.vectorize(lambda end: _log_mean(end, k, 2, WEIGHTS))(end)
        whole = _log_integral(jnp.float32(jnp.pi), k, 2, NODES)
        return jnp.clip(0.5 + 0.5 * end * jnp.exp(log_mean - whole), 0, 1)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape]` angles in loc - pi ... loc + pi; differentiable, in the concentration implicitly."""
        key, sign_key = jax.random.split(key)
        return self.loc + jax.random.rademacher(sign_key, shape) * sample_angle(key, self.concentration, 2, shape)

    def mean(self) -> Array:
        """`[]` mean direction, radians."""
        return self.loc

    def variance(self) -> Array:
        """`[]` circular variance in [0, 1]: 1 - I_1(k) / I_0(k)."""
        return spread(self.concentration, 2)

    def entropy(self) -> Array:
        """`[]` nats, at most log 2 pi."""
        return log_normaliser(self.concentration, 2) + self.concentration * self.variance()


class VonMisesFisher(NamedTuple):
    """exp(k direction . x) / Z_D(k) of unit vectors x in D dimensions."""

    direction: Array  # [D] of length 1
    concentration: Array  # [] k >= 0; 0 is uniform

    def log_prob(self, x: Array) -> Array:
        """`[]` log-density of `x [D]`, of length 1, on the sphere."""
        away = -0.5 * jnp.square(x - self.direction).sum()
        return self.concentration * away - log_normaliser(self.concentration, len(x))

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, D]` unit vectors; differentiable."""
        dim = len(self.direction)
        key, around_key = jax.random.split(key)
        t = sample_angle(key, self.concentration, dim, shape)[..., None]
        around = jax.random.normal(around_key, (*shape, dim - 1))
        around = around / jnp.linalg.norm(around, axis=-1, keepdims=True)
        x = jnp.concatenate([jnp.cos(t), jnp.sin(t) * around], -1)
        # The reflection that swaps the first axis and the mean; the sign keeps its normal away from 0.
        first = jnp.zeros(dim).at[0].set(jnp.where(self.direction[0] > 0, -1.0, 1.0))
        normal = first - self.direction
        x = x.at[..., 0].multiply(first[0])
        along = jnp.tensordot(x, normal, 1)[..., None] * jnp.broadcast_to(normal, x.shape)
        return x - 2 * along / jnp.square(normal).sum()

    def mean(self) -> Array:
        """`[D]` mean vector, of length A_D(k) = I_(D/2)(k) / I_(D/2-1)(k) in [0, 1]."""
        return self.direction * (1 - spread(self.concentration, len(self.direction)))

    def entropy(self) -> Array:
        """`[]` nats, at most the log of the sphere's area."""
        dim = len(self.direction)
        return log_normaliser(self.concentration, dim) + self.concentration * spread(self.concentration, dim)


def log_normaliser(concentration: Array, dim: int) -> Array:
    """log Z_D(k) - k, `[]`: of exp(k (mean . x - 1)) over the sphere.

    Args:
      concentration: `[]` k >= 0.
      dim: D >= 2, up to about 1,000.
    """
    area = jnp.log(2.0) + (dim - 1) / 2 * jnp.log(jnp.pi) - gammaln((dim - 1) / 2)
    return area + _log_integral(jnp.float32(jnp.pi), concentration, dim, NODES)


def spread(concentration: Array, dim: int) -> Array:
    """1 - A_D(k) = E[1 - mean . x], `[]` in [0, 1], without cancellation: the log-normaliser's slope, downwards."""
    return -jax.grad(log_normaliser)(jnp.asarray(concentration, jnp.float32), dim)


def angle_cdf(t: Array, concentration: Array, dim: int) -> Array:
    """P(angle from the mean <= t) `[...]`, t in 0 ... pi, of the von Mises-Fisher distribution in D dimensions."""
    whole = _log_integral(jnp.float32(jnp.pi), concentration, dim, NODES)
    log_part = jnp.vectorize(lambda t: _log_integral(t, concentration, dim, WEIGHTS))(t)
    return jnp.minimum(jnp.exp(log_part - whole), 1)


def sample_angle(key: Key, concentration: Array, dim: int, shape: tuple[int, ...]) -> Array:
    """`[*shape]` angles in 0 ... pi from the mean, differentiable in the concentration k.

    Rejection: 1 - cos t from the ratio of two gammas. The derivative is that of the angle whose cumulative probability
    does not move. Sources: Wood 1994, Communications in Statistics 23(1), algorithm VM*; Figurnov et al. 2018,
    arXiv:1805.08498, eq. 6.
    """
    k = lax.stop_gradient(jnp.asarray(concentration, jnp.float32))
    t = _rejection(key, k, dim, shape)
    log_p = k * (jnp.cos(t) - 1) + (dim - 2) * jnp.log(jnp.maximum(jnp.sin(t), 1e-30))
    density = jnp.exp(log_p - _log_integral(jnp.float32(jnp.pi), k, dim, NODES))
    below = angle_cdf(t, concentration, dim)
    return t - (below - lax.stop_gradient(below)) / jnp.maximum(density, 1e-30)


def _rejection(key, k, dim, shape):
    m = dim - 1.0
    b = m / (2 * k + jnp.sqrt(4 * jnp.square(k) + m**2))
    rest = 2 * b / (1 + b)  # 1 - x0 in the paper's letters; all is written in 1 - cos t, which is small for large k

    def propose(key):
        beta_key, accept_key = jax.random.split(key)
        z = jax.random.beta(beta_key, m / 2, m / 2, shape)
        s = 2 * b * z / (1 - (1 - b) * z)
        log_ratio = jnp.log((rest + (1 - rest) * s) / (rest * (2 - rest)))
        log_u = jnp.log(jax.random.uniform(accept_key, shape, minval=jnp.finfo(jnp.float32).tiny))
        return s, k * (rest - s) + m * log_ratio >= log_u

    def retry(carry):
        key, s, accepted = carry
        key, propose_key = jax.random.split(key)
        new, is_good = propose(propose_key)
        return key, jnp.where(accepted, s, new), accepted | is_good

    first = (key, jnp.zeros(shape), jnp.zeros(shape, bool))
    _, s, _ = lax.while_loop(lambda carry: ~carry[2].all(), retry, first)
    return 2 * jnp.arcsin(jnp.sqrt(jnp.minimum(s / 2, 1)))


def _log_integral(end, k, dim, num):
    """log of the integral over 0 ... end of exp(k (cos t - 1)) sin(t)^(D-2)."""
    end = jnp.minimum(end, _bound(k, dim))
    # The end's log stays outside: 0 at end = 0, and safe to derive.
    positive = jnp.where(end > 0, end, 1)
    return jnp.where(end > 0, jnp.log(positive) + _log_mean(end, k, dim, num), -jnp.inf)


def _bound(k, dim):
    """Beyond this angle nothing is left in float32; where it lies does not matter to derivatives in k."""
    return jnp.pi * jnp.minimum(1, jnp.sqrt((dim + 10) / jnp.maximum(lax.stop_gradient(k), 1e-6)))


def _log_mean(end, k, dim, num):
    """log of the mean of exp(k (cos t - 1)) sin(t)^(D-2) over 0 ... end."""
    nodes, weights = gauss_legendre(num)
    t = end * nodes
    log_sin = jnp.log(jnp.where(t > 0, jnp.sin(t), 1)) if dim > 2 else jnp.zeros_like(t)
    log_p = -2 * k * jnp.square(jnp.sin(t / 2)) + (dim - 2) * log_sin
    return jax.nn.logsumexp(log_p, b=weights)


def polar(x: Array) -> tuple[Array, Array]:
    """Direction `[D]` and length `[]` of a vector; the first axis where it is 0."""
    length = safe_norm(x)
    first = jnp.zeros_like(x).at[0].set(1)
    return jnp.where(length > 0, x / jnp.where(length > 0, length, 1), first), length
