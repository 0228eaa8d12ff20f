"""Objectives of score matching: a score is learned of data alone, without their density and its constant.

    E |s(x) - grad log p(x)|^2 / 2 = E [tr(ds/dx) + |s|^2 / 2] + constant

The trace costs a pass a dimension. Sliced score matching takes it along random directions, without bias; denoising
score matching avoids it, for the density of data with Gaussian noise: its score at x + std n is in the mean -n / std.

Sources: Hyvarinen 2005, JMLR 6, eq. 4; sliced: Song et al. 2019, arXiv:1905.07088, eq. 8; denoising: Vincent 2011,
Neural Computation 23(7), eq. 9.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key
from adl.prob.volume import exact_trace, trace_along

Objective = Callable[[Key, Callable[[Array], Array], Array], Array]  # (key, score, x [B, ...]) -> [B]


def by_trace(key: Key, score: Callable[[Array], Array], x: Array) -> Array:
    """`[B]` tr(ds/dx) + |s|^2 / 2, by a pass a dimension: what sliced score matching estimates.

    Args:
      key: not looked at.
      score: `x [B, ...] -> [B, ...]`, row by row.
      x: `[B, ...]`.
    """
    value, trace = exact_trace(score, x)
    return trace + jnp.square(value).reshape(len(x), -1).sum(1) / 2


def by_slices(num_slices: int = 1) -> Objective:
    """Of v' (ds/dx) v + |s|^2 / 2, the mean over so many directions v of +-1 in each coordinate.

    Args:
      num_slices: >= 1 of each example.
    Source: Song et al. 2019, arXiv:1905.07088, eq. 8, with Hutchinson's directions of least variance.
    """

    def objective(key, score, x):
        def along(key):
            value, trace = trace_along(score, x, jax.random.rademacher(key, x.shape, x.dtype))
            return trace, jnp.square(value).reshape(len(x), -1).sum(1) / 2

        traces, squares = jax.vmap(along)(jax.random.split(key, num_slices))
        return traces.mean(0) + squares[0]

    return objective


def by_noise(std: float) -> Objective:
    """std^2 |s(x + std n) + n / std|^2 / 2, of one n ~ N(0, I) an example.

    Args:
      std: > 0, of the noise, in units of x: the density that is learned is that of the data so blurred.
    Source: Vincent 2011, Neural Computation 23(7), eq. 9.
    """

    def objective(key, score, x):
        noise = jax.random.normal(key, x.shape, x.dtype)
        return jnp.square(std * score(x + std * noise) + noise).reshape(len(x), -1).sum(1) / 2

    return objective
