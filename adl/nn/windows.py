"""Windows over a text: what a few words say that stand beside each other, wherever they stand."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array


class Windows(nn.Module):
    """Convolutions of several widths beside each other, a rectifier behind each; the outputs of all are put together.

    y_t = relu(W (x_{t - a} ... x_{t + b}) + bias),   a + b + 1 = width,   a = floor((width - 1) / 2)

    Padding is read as zeros. With the largest over time and dropout behind it, as `SequenceClassifier` has both, this
    is the network of the source.

    Source: Kim 2014, arXiv:1408.5882, section 2 (CNN-rand).
    """

    features: int  # of each width
    widths: Sequence[int] = (3, 4, 5)  # words that a window sees, each >= 1
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, state: tuple = (), *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`[B, T, features * widths]`, ()) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        time, outputs = x.shape[1], []
        if length is not None:
            x = jnp.where((jnp.arange(time) < length[:, None])[..., None], x, 0)
        for width in self.widths:
            before = (width - 1) // 2
            wide = jnp.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
            # One product of matrices: of many networks side by side a convolution would be one in groups.
            seen = jnp.concatenate([wide[:, at : at + time] for at in range(width)], -1)
            outputs.append(nn.relu(nn.Dense(self.features, dtype=self.dtype, name=f"width_{width}")(seen)))
        return jnp.concatenate(outputs, -1), state


class Alone(nn.Module):
    """Each input as it is, whatever stands beside it: summed up, a bag of words."""

    def __call__(self, x: Array, state: tuple = (), *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`x`, ())."""
        del length
        return x, state
