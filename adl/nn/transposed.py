"""Transposed convolutions: from few places to many, by the adjoint of the convolution that goes from many to few."""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import adjoint
from adl.nn.geometry import Geometry, Padding, each
from adl.nn.mlp import Initializer


def convolve_transposed(
    y: Array,
    kernel: Array,
    *,
    size: Sequence[int] | None = None,
    strides: int | Sequence[int] = 1,
    padding: Padding = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """`[B, ..., D]`, the adjoint of `convolve` with the same words.

    <y, convolve(x, k)> = <convolve_transposed(y, k), x>:
    x[b, stride t + dilation u - padding, d] is the sum over t, u, c of kernel[u, d, c] y[b, t, c].

    Args:
      y: `[B, ..., C]`, as many axes between as the kernel has: one to three.
      kernel: `[..., D / groups, C]`, of y's type; that of the convolution from D channels to C.
      size: of the result along each axis. Several have an output of y's size under a stride; None: under "SAME" stride
        times y's, else the least.
      strides: outputs from one input to the next, along all axes or each.
      padding: "SAME", "VALID", or (before, after) of each axis: what the convolution is given, and this takes away.
      dilation: outputs from one tap of the kernel to the next, along all axes or each.
      groups: input c reaches only the D / groups outputs of its group.
    Raises:
      AssertionError: at trace time, if shapes or types do not fit, or no convolution from that size gives y's.
    """
    chex.assert_equal_rank([y, kernel])
    chex.assert_type(kernel, y.dtype)
    chex.assert_axis_dimension(y, -1, kernel.shape[-1])
    chex.assert_is_divisible(kernel.shape[-1], groups)
    window = kernel.shape[:-2]
    if size is None:
        size = _smallest(y.shape[1:-1], window, strides, padding, dilation)
    geometry = Geometry.of(size, window, strides, padding, dilation, groups)
    chex.assert_shape(y, (None, *geometry.output(jnp.empty((0, *size, 0)), kernel)[1:-1], None))
    return adjoint(y, kernel, geometry)


def _smallest(
    size: Sequence[int],
    window: Sequence[int],
    strides: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
) -> tuple[int, ...]:
    """From which a convolution gives `size`; under "SAME" the largest, which is the stride times it."""
    strides, dilation = each(strides, len(window)), each(dilation, len(window))
    if padding == "SAME":
        return tuple(places * stride for places, stride in zip(size, strides, strict=True))
    zeros = [0] * len(window) if padding == "VALID" else [sum(pad) for pad in padding]
    sides = zip(size, strides, window, dilation, zeros, strict=True)
    return tuple((places - 1) * stride + (taps - 1) * apart + 1 - pad for places, stride, taps, apart, pad in sides)


class ConvTranspose(nn.Module):
    """A transposed convolution with a bias: `convolve_transposed` with a kernel `[..., D / groups, C]`.

    The kernel is that of PyTorch's `ConvTranspose2d`, `[C, D / groups, H, W]`, with its axes in another order; flax's
    `ConvTranspose` has it turned by half a turn, `[H, W, C, D]`.
    """

    features: int  # D, channels of the output
    kernel_size: Sequence[int]  # along each axis
    strides: int | Sequence[int] = 1
    padding: Padding = "SAME"
    output_padding: int | Sequence[int] = 0  # places more than the least at the end of each axis, below its stride
    kernel_dilation: int | Sequence[int] = 1  # outputs from one tap of the kernel to the next
    feature_group_count: int = 1  # groups of channels that do not reach each other; divides C and D
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    kernel_init: Initializer = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, ..., D]` from `x` `[B, ..., C]`."""
        window = tuple(self.kernel_size)
        chex.assert_rank(x, len(window) + 2)
        chex.assert_is_divisible(self.features, self.feature_group_count)
        kernel = self.param(
            "kernel", self.kernel_init, (*window, self.features // self.feature_group_count, x.shape[-1])
        )
        how = {"strides": self.strides, "padding": self.padding, "dilation": self.kernel_dilation}
        least = _smallest(x.shape[1:-1], window, **how)
        more = each(self.output_padding, len(window))
        out = convolve_transposed(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            size=[places + extra for places, extra in zip(least, more, strict=True)],
            groups=self.feature_group_count,
            **how,
        )
        if not self.use_bias:
            return out
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return out + bias.reshape(*[1] * (out.ndim - 1), -1)
