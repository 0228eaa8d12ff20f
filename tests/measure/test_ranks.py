"""The rank correlation is SciPy's."""

import jax.numpy as jnp
import numpy as np
from scipy import stats

from adl.measure.ranks import rank_correlation


def test_is_scipys():
    x, y = np.random.default_rng(0).normal(size=(2, 30)).astype("f")
    np.testing.assert_allclose(rank_correlation(x, y + x), stats.spearmanr(x, y + x).statistic, rtol=1e-5)
    np.testing.assert_allclose(rank_correlation(x, -jnp.exp(x)), -1, rtol=1e-6)
