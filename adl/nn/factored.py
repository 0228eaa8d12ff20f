"""Convolutions in two factors: channels apart and then together, or space and then time."""

from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.nn.geometry import Padding


class SeparableConv(nn.Module):
    """A depthwise separable convolution: a kernel for each channel, then a map of the channels at each place.

    Parameters without biases: HW C + C D, where a convolution has HW C D.

    Source: Chollet 2017, arXiv:1610.02357, section 3; Howard et al. 2017, arXiv:1704.04861.
    """

    features: int  # D, channels of the output
    kernel_size: Sequence[int]  # along each axis
    strides: int | Sequence[int] = 1
    padding: Padding = "SAME"
    kernel_dilation: int | Sequence[int] = 1  # inputs from one tap of the kernel to the next
    between: Callable[[Array], Array] = lambda h: h  # what happens between the two; Chollet's is nothing
    use_bias: bool = True  # of the second
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, ..., D]` from `x` `[B, ..., C]`."""
        channels, point = x.shape[-1], [1] * len(self.kernel_size)
        how = {"padding": self.padding, "kernel_dilation": self.kernel_dilation, "feature_group_count": channels}
        h = Conv(channels, self.kernel_size, self.strides, use_bias=False, dtype=self.dtype, **how)(x)
        return Conv(self.features, point, use_bias=self.use_bias, dtype=self.dtype)(self.between(h))


def middle_channels(channels: int, features: int, *, taps: int = 3, window: int = 3) -> int:
    """Channels between the factors of a (2+1)-D convolution, with which it has the parameters of a 3-D one, or fewer.

    M = floor(t d^2 C D / (d^2 C + t D))

    Args:
      channels: C, of the input.
      features: D, of the output.
      taps: t, of the kernel in time.
      window: d, of the kernel along each side of the picture.
    Source: Tran et al. 2018, arXiv:1711.11248, section 3.5.
    """
    return max(1, taps * window**2 * channels * features // (window**2 * channels + taps * features))


class SpaceTimeConv(nn.Module):
    """A (2+1)-D convolution: in each picture of a clip, a nonlinearity, then over time at each place.

    Source: Tran et al. 2018, arXiv:1711.11248, section 3.5.
    """

    features: int  # D, channels of the output
    taps: int = 3  # t, of the kernel in time
    window: int = 3  # d, of the kernel along each side of the picture
    stride_in_time: int = 1
    stride_in_space: int = 1
    norm: Callable[..., nn.Module] | None = None  # between the two, `norm(dtype=...)`; None: none
    middle: int | None = None  # M, channels between the two; None: `middle_channels`
    use_bias: bool = False  # of both
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, T, H, W, D]` from clips `x` `[B, T, H, W, C]`."""
        chex.assert_rank(x, 5)
        middle = self.middle or middle_channels(x.shape[-1], self.features, taps=self.taps, window=self.window)
        how = {"use_bias": self.use_bias, "dtype": self.dtype}
        space, side = (1, self.window, self.window), (self.window - 1) // 2
        pad = [(0, 0), *[(side, self.window - 1 - side)] * 2]
        # A picture of its own each, for the convolutions of three axes are the slower ones.
        h = Conv(middle, space, (1, self.stride_in_space, self.stride_in_space), pad, **how)(x)
        h = nn.relu(h if self.norm is None else self.norm(dtype=self.dtype)(h))
        past = (self.taps - 1) // 2
        pad = [(past, self.taps - 1 - past), (0, 0), (0, 0)]
        return Conv(self.features, (self.taps, 1, 1), (self.stride_in_time, 1, 1), pad, **how)(h)
