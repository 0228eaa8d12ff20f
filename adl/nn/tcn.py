"""Temporal convolutions: what an output sees of the past doubles with each layer; all times are computed at once."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.recurrence import remembered


class TCN(nn.Module):
    """Residual blocks of causal convolutions, each block dilated twice as far as the last.

    A block: relu(x + f(f(x))), f = dropout(relu(convolution)), x projected where its width changes; kernels are
    weight-normalised (Salimans & Kingma 2016, arXiv:1602.07868). An output sees the last 1 + 2 (k - 1) (2^L - 1)
    inputs. Dropout acts when a `dropout` key is given to `apply`, and only then.

    Source: Bai et al. 2018, arXiv:1803.01271, section 3.
    """

    features: Sequence[int]  # channels of each of the L blocks
    kernel_size: int = 3  # k
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(
        self, x: Array, state: Sequence[Array] | None = None, *, length: Array | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """(`[B, T, features[-1]]`, state) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`.

        The state, float32, is what each convolution still sees of its inputs, of the call before.
        """
        states = iter(self.empty(*x.shape[::2]) if state is None else state)
        after = []
        for block, width in enumerate(self.features):
            h = x
            for _ in range(2):
                seen, last = remembered(next(states).astype(h.dtype), h, length)
                after.append(last.astype(jnp.float32))
                convolution = Conv(
                    width, (self.kernel_size,), kernel_dilation=2**block, padding="VALID", dtype=self.dtype
                )
                h = nn.relu(nn.WeightNorm(convolution, epsilon=1e-36)(seen))
                h = Dropout(self.dropout)(h)
            if x.shape[-1] != width:
                x = nn.Dense(width, dtype=self.dtype)(x)
            x = nn.relu(x + h)
        return x, tuple(after)

    def empty(self, size: int, dim: int) -> tuple[Array, ...]:
        """State of B = `size` rows of D = `dim` before the first input."""
        widths = [dim, *(width for width in self.features for _ in range(2))][:-1]
        reach = [(self.kernel_size - 1) * 2**block for block in range(len(self.features)) for _ in range(2)]
        return tuple(jnp.zeros((size, time, width)) for time, width in zip(reach, widths, strict=True))
