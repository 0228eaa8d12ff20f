"""Precision and recall of samples: whether they lie where data do, and whether data lie where they do.

The support of a sample is taken for the union of balls around its rows, each as large as reaches the row's k-th nearest
other one. Precision is the share of samples within the data's support, recall the share of data within the samples'.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import Array, lax

from adl.prob import neighbours


class Support(NamedTuple):
    """How two samples cover each other."""

    precision: Array  # [] in [0, 1]: share of the samples where the data are; low: samples like nothing in the data
    recall: Array  # [] in [0, 1]: share of the data where the samples are; low: kinds of data that no sample shows


def shared_support(samples: Array, reference: Array, *, k: int = 3) -> Support:
    """Shares of each sample that lie within the support of the other; nan where any row holds nan or infinity.

    One far row of the data has a large ball: precision is kind to what lies far out. Both rise with the number of
    rows: compare them among equally many.

    Args:
      samples: `[N, D]`, N > k.
      reference: `[M, D]`, M > k, data.
      k: >= 1, of the neighbour that a ball reaches.
    Raises:
      AssertionError: at trace time, if there are too few rows.
    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1 and 2.
    """
    chex.assert_rank([samples, reference], 2)
    chex.assert_equal_shape_suffix([samples, reference], 1)
    chex.assert_scalar_in(k, 1, min(len(samples), len(reference)) - 1)
    between = neighbours.squared_distances(samples, reference)
    inside = (between <= _reach(reference, k)[None]).any(1).mean()
    covered = (between <= _reach(samples, k)[:, None]).any(0).mean()
    is_known = jnp.isfinite(samples).all() & jnp.isfinite(reference).all()
    return Support(*(jnp.where(is_known, share, jnp.nan) for share in (inside, covered)))


def _reach(x: Array, k: int) -> Array:
    """`[N]` squared distance of each row to its k-th nearest other row."""
    others = neighbours.squared_distances(x, x).at[jnp.diag_indices(len(x))].set(jnp.inf)
    return -lax.top_k(-others, k)[0][:, -1]
