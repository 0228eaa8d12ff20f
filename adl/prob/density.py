"""Densities without parameters: histogram, kernel and nearest neighbours.

Each has one number that says how local it is (bins, bandwidth, neighbours): too small and the density follows the
points, too large and it is blurred. Source: Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.5.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from adl.core.types import Array
from adl.prob.neighbours import squared_distances


class Histogram(NamedTuple):
    """Counts in equal bins of an interval; of two samples over the same bins, counts add."""

    low: Array  # []
    high: Array  # [] > low
    count: Array  # [K] points in each bin; the last one is closed on both sides

    def log_prob(self, x: Array) -> Array:
        """`[...]` log-density; -inf in empty bins and outside."""
        outside = jnp.where(jnp.isnan(x), jnp.nan, jnp.where(self._inside(x), 0, -jnp.inf))
        return jnp.log(self.count[self._bin(x)]) + outside - jnp.log(self._scale())

    def _scale(self) -> Array:
        return self.count.sum() * (self.high - self.low) / len(self.count)

    def _bin(self, x: Array) -> Array:
        place = jnp.floor((x - self.low) / (self.high - self.low) * len(self.count))
        return jnp.clip(place.astype(jnp.int32), 0, len(self.count) - 1)

    def _inside(self, x: Array) -> Array:
        return (x >= self.low) & (x <= self.high)


def histogram(x: Array, low: Array | float, high: Array | float, *, num_bins: int) -> Histogram:
    """Counts of the points `x [N]` in `num_bins` bins from `low` to `high`; points outside are not counted."""
    empty = Histogram(jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32), jnp.zeros(num_bins))
    return empty._replace(count=empty.count.at[empty._bin(x)].add(empty._inside(x).astype(jnp.float32)))


def silverman(x: Array) -> Array:
    """`[]` bandwidth of a kernel density of points `x [N, D]`: best where they are normal, too wide elsewhere.

    (4 / ((D + 2) N))^(1 / (D + 4)) times the standard deviation, its root mean square over coordinates.
    Source: Silverman 1986, Density Estimation for Statistics and Data Analysis, eq. 4.14.
    """
    chex.assert_rank(x, 2)
    n, dim = x.shape
    return jnp.sqrt(x.var(0, ddof=1).mean()) * (4 / ((dim + 2) * n)) ** (1 / (dim + 4))


def leave_one_out(x: Array, bandwidth: Array | float) -> Array:
    """`[N]` log-density at each of the points `x [N, D]` of Gaussian kernels around all the others.

    Its mean is the likelihood that a bandwidth may be chosen by: the others never overfit a point.
    Source: Duin 1976, IEEE Transactions on Computers C-25(11).
    """
    chex.assert_rank(x, 2)
    n, dim = x.shape
    exponents = -0.5 * squared_distances(x / bandwidth, x / bandwidth)
    others = exponents.at[jnp.diag_indices(n)].set(-jnp.inf)
    return jax.nn.logsumexp(others, 1) - jnp.log(n - 1) - dim * (jnp.log(bandwidth) + 0.5 * jnp.log(2 * jnp.pi))


def likeliest_bandwidth(x: Array, bandwidths: Array) -> Array:
    """`[]` the one of `bandwidths [W]` under which points `x [N, D]` are likeliest, each left out in turn."""
    likelihood = lax.map(lambda bandwidth: leave_one_out(x, bandwidth).mean(), bandwidths)
    return jnp.where(jnp.isnan(likelihood).any(), jnp.nan, bandwidths[likelihood.argmax()])


def neighbour_log_prob(x: Array, data: Array, *, k: int) -> Array:
    """`[N]` log of the share of data in the smallest ball that holds k of them, over its volume.

    p(x) = k / (M V_D r^D),   r the distance of the k-th nearest. Its integral is infinite: tails fall as r^-D.

    Args:
      x: `[N, D]`.
      data: `[M, D]`.
      k: in 1 ... M.
    Source: Loftsgaarden & Quesenberry 1965, Annals of Mathematical Statistics 36(3).
    """
    chex.assert_rank([x, data], 2)
    chex.assert_equal_shape_suffix([x, data], 1)
    dim = x.shape[1]
    squared = -lax.top_k(-squared_distances(x, data), k)[0][:, -1]
    return jnp.log(k / len(data)) - log_ball(dim) - 0.5 * dim * jnp.log(squared)


def log_ball(dim: int) -> Array:
    """`[]` log volume of the unit ball in D dimensions."""
    return 0.5 * dim * jnp.log(jnp.pi) - gammaln(dim / 2 + 1)
