"""A summary of a padded sequence is that of the sequence alone, and PyTorch's over what is real."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.nn.recurrent import Recurrents, gru
from adl.nn.sequence_classifier import SequenceClassifier, over_time
from adl.nn.tcn import TCN
from adl.nn.transformer import Blocks

LENGTH = np.array([5, 1, 3])
MASK = np.arange(5)[None] < LENGTH[:, None]


@pytest.mark.parametrize("summary", ["last", "mean", "max"])
@pytest.mark.parametrize(
    "layers", [Recurrents(gru, (4,)), TCN((4, 4)), Blocks(1, 2), Blocks(1, 2, "all", "sinusoidal")]
)
@pytest.mark.parametrize("vocab_size", [0, 7])
def test_padding_changes_nothing(layers, summary, vocab_size):
    """Whatever stands at padding: rows of several lengths give what each gives by itself."""
    model = SequenceClassifier(layers, 2, 4, vocab_size, summary)
    rng = np.random.default_rng(0)
    x = rng.integers(7, size=(3, 5)) if vocab_size else rng.normal(size=(3, 5, 2)).astype("f")
    variables = model.init(jax.random.key(0), jnp.asarray(x))
    out = jax.jit(model.apply)(variables, x, mask=MASK)
    assert out.shape == (3, 2) and out.dtype == jnp.float32
    for row, length in enumerate(LENGTH):
        np.testing.assert_allclose(model.apply(variables, x[row : row + 1, :length])[0], out[row], atol=1e-6)


@pytest.mark.parametrize("summary", ["last", "mean", "max"])
def test_a_summary_is_pytorch_s_of_each_row(summary):
    """Over the real times of rows far from zero."""
    h = 100 + np.random.default_rng(1).normal(size=(3, 5, 4)).astype("f")
    rows = [torch.tensor(row[:length]) for row, length in zip(h, LENGTH, strict=True)]
    want = [{"last": row[-1], "mean": row.mean(0), "max": row.max(0).values}[summary].numpy() for row in rows]
    np.testing.assert_allclose(over_time(jnp.asarray(h), jnp.asarray(MASK), summary), want, rtol=1e-6)
