"""LeNet-5: the convolutional network as it was first used, for handwritten characters."""

from collections.abc import Callable

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.core import BadInput, did_you_mean
from adl.nn.convolution import Conv, convolve
from adl.nn.mlp import flat
from adl.nn.pooling import max_pool, mean_pool

SEEN = (  # maps of the first stage that each map of the second sees. Source: LeCun et al. 1998, table I
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5), (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)),
    *((0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5), (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)
EVERY = (tuple(range(6)),) * 16  # all of them: what most who say LeNet-5 mean


def scaled_tanh(x: Array) -> Array:
    """1.7159 tanh(2 x / 3), with f(1) = 1 and f(-1) = -1, elementwise. Source: LeCun et al. 1998, eq. 6."""
    return 1.7159 * jnp.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """w mean + b of each 2x2 window, with w and b learned for each channel. Source: LeCun et al. 1998, section II.B."""

    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H / 2, W / 2, C]` from `x` `[B, H, W, C]`."""
        scale, bias = (
            self.param(name, init, x.shape[-1:]).astype(self.dtype).reshape(1, 1, 1, -1)
            for name, init in (("scale", nn.initializers.ones), ("bias", nn.initializers.zeros))
        )
        return scale * mean_pool(x, 2) + bias


class PartialConv(nn.Module):
    """A convolution whose every output sees some channels of the input alone, and has parameters for these alone."""

    seen: tuple[tuple[int, ...], ...]  # channels of the input, by channel of the output
    window: int  # sides of the kernel
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H - window + 1, W - window + 1, D]` from `x` `[B, H, W, C]`."""
        source = np.concatenate([np.array(channels) for channels in self.seen])
        target = np.repeat(np.arange(len(self.seen)), [len(channels) for channels in self.seen])
        sides, many = (self.window, self.window), len(source) // len(self.seen)
        # As of a kernel `[H, W, C, D]` with so many inputs as an output has on average.
        init = nn.initializers.normal((self.window**2 * many) ** -0.5)
        taps = self.param("kernel", init, (*sides, len(source)))
        kernel = jnp.zeros((*sides, x.shape[-1], len(self.seen))).at[:, :, source, target].set(taps)
        bias = self.param("bias", nn.initializers.zeros, (len(self.seen),)).astype(self.dtype)
        return convolve(x, kernel.astype(self.dtype), padding="VALID") + bias.reshape(1, 1, 1, -1)


class LeNet5(nn.Module):
    """LeNet-5, whose 84 features have 60,000 parameters, as in the paper.

    The paper ends with the squared distances of the features from a fixed code of each class; here it is an affine
    map, 850 parameters more for ten classes. With `EVERY`, "mean" and `nn.tanh` or `nn.relu` it is what tutorials call
    LeNet-5, of 61,706 parameters.

    Source: LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86(11), section II.B.
    """

    num_classes: int | None  # K, size of the output; None: the 84 features
    seen: tuple[tuple[int, ...], ...] = SEEN  # maps of the first stage by map of the second
    pool: str = "learned"  # of 2x2 windows: "learned", a mean that is scaled and shifted; "mean"; or "max"
    activation: Callable[[Array], Array] = scaled_tanh
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, 84]`, from pictures `x` `[B, 32, 32, C]`, padded where smaller."""
        chex.assert_rank(x, 4)
        if x.shape[1:3] != (32, 32):
            raise BadInput(
                f"pictures of {x.shape[1]} x {x.shape[2]} pixels: LeNet-5 wants 32 x 32, padded where smaller"
            )
        pools = {"mean": lambda h: mean_pool(h, 2), "max": lambda h: max_pool(h, 2, 2), "learned": None}
        if self.pool not in pools:
            raise BadInput(f"no pool {self.pool!r}: there are {', '.join(pools)}{did_you_mean(self.pool, pools)}")
        pool = pools[self.pool] or (lambda h: Subsampling(self.dtype)(h))
        act = self.activation
        h = act(pool(Conv(6, (5, 5), padding="VALID", dtype=self.dtype)(x.astype(self.dtype))))
        h = act(pool(PartialConv(self.seen, 5, self.dtype)(h)))
        h = act(nn.Dense(120, dtype=self.dtype)(flat(h)))
        h = act(nn.Dense(84, dtype=self.dtype)(h))
        return h.astype(jnp.float32) if self.num_classes is None else nn.Dense(self.num_classes, dtype=jnp.float32)(h)
