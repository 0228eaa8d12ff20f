"""Residual networks as published: ResNet-18 to ResNet-152 and wide ones, with what torchvision's weights expect.

`ResNet` (`adl.nn.resnet`) is the later, pre-activation form for small pictures.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.pooling import max_pool

DEEP = {"kind": "bottleneck", "channels": (256, 512, 1024, 2048)}
RESNETS: dict[str, dict[str, Any]] = {  # `OriginalResNet(num_classes, **RESNETS["resnet50"])`
    "resnet18": {"num_blocks": (2, 2, 2, 2)},
    "resnet34": {"num_blocks": (3, 4, 6, 3)},
    "resnet50": {"num_blocks": (3, 4, 6, 3), **DEEP},
    "resnet101": {"num_blocks": (3, 4, 23, 3), **DEEP},
    "resnet152": {"num_blocks": (3, 8, 36, 3), **DEEP},
    "wide_resnet50_2": {"num_blocks": (3, 4, 6, 3), "widening": 2, **DEEP},
    "wide_resnet101_2": {"num_blocks": (3, 4, 23, 3), "widening": 2, **DEEP},
}
fan_out = nn.initializers.variance_scaling(2.0, "fan_out", "normal")  # He et al. 2015, as torchvision begins


class UnbiasedBatchNorm(nn.Module):
    """Batch normalisation with PyTorch's running statistics: their variance is the unbiased one.

    y = (x - m) / sqrt(v + epsilon) * scale + bias,   v <- momentum v + (1 - momentum) v_batch n / (n - 1)

    of n numbers a channel. Where the statistics may move, as in `adl.nn.resnet.BatchNorm`, the batch's own mean and
    (biased) variance normalise it; else the running ones.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """

    axis: str | None = None  # mapped axis (pmap) whose devices share one batch; None: one device, or the compiler
    momentum: float = 0.9  # in [0, 1), of the running statistics; 1 minus what PyTorch calls momentum
    epsilon: float = 1e-5
    dtype: jnp.dtype = jnp.float32  # of the output; statistics are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., C]` of `x` `[..., C]`."""
        shape = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        variance = self.variable("batch_stats", "var", jnp.ones, shape)
        h, m, v = x.astype(jnp.promote_types(x.dtype, jnp.float32)), mean.value, variance.value
        if self.is_mutable_collection("batch_stats"):
            places, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
            share = (lambda of: of) if self.is_initializing() or not self.axis else self._over_devices
            m = share(h.mean(places))
            v = share(jnp.square(h - m[(None,) * (x.ndim - 1)]).mean(places))
            if not self.is_initializing():
                count = count * (lax.axis_size(self.axis) if self.axis else 1)
                mean.value = self.momentum * mean.value + (1 - self.momentum) * m
                unbiased = v * (count / max(count - 1, 1))
                variance.value = self.momentum * variance.value + (1 - self.momentum) * unbiased
        factor = scale * lax.rsqrt(v + self.epsilon)
        m, factor, bias = (of[(None,) * (x.ndim - 1)] for of in (m, factor, bias))
        return ((h - m) * factor + bias).astype(self.dtype)

    def _over_devices(self, of: Array) -> Array:
        return lax.pmean(of, self.axis)


class OriginalResNet(nn.Module):
    """The residual network of ImageNet: activation after each sum, blocks of two convolutions or of three.

    A 7x7 convolution and a 3x3 maximum, each at half the resolution; stages of blocks, each stage after the first at
    half again; the mean over the picture, and an affine map. The default is ResNet-18; `RESNETS` has the others. Apply
    with `mutable=["intermediates"]` for the `maps` `[B, H, W, C]` after each stage. A picture of S pixels a side ends
    as one of S / 32.

    Source: He et al. 2015, arXiv:1512.03385, table 1; with the stride in the 3x3 convolution (`strided`), as in
    torchvision and in "ResNet v1.5"; with `widening`, Zagoruyko & Komodakis 2016, arXiv:1605.07146, section 3.3.
    """

    num_classes: int | None = 1000  # K, size of the output; None: the features themselves, without the affine map
    channels: Sequence[int] = (64, 128, 256, 512)  # of each stage; of bottlenecks a multiple of 4
    num_blocks: Sequence[int] = (2, 2, 2, 2)  # of each stage
    kind: Literal["basic", "bottleneck"] = "basic"  # two 3x3 convolutions; or 1x1, 3x3 at a quarter as wide, 1x1
    stem: int = 64  # channels of the first convolution
    first_stride: int = 1  # of the first stage
    strided: Literal[1, 3] = 3  # side of the kernel of a bottleneck that has its stride; 1 is the paper's
    widening: int = 1  # >= 1: times the channels within a bottleneck
    norm: Callable[..., nn.Module] = UnbiasedBatchNorm  # `norm(dtype=...)`, with the axis that it needs
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, channels[-1]]`, from pictures `x` `[B, H, W, C]`, standardised."""
        chex.assert_rank(x, 4)
        h = nn.relu(ConvNorm(self.stem, 7, 2, self.norm, self.dtype, name="stem")(x))
        h = max_pool(h, 3, 2, padding=1)
        block = functools.partial(PostResidualBlock, kind=self.kind, strided=self.strided, widening=self.widening)
        block = functools.partial(block, norm=self.norm, dtype=self.dtype)
        for stage, (width, number) in enumerate(zip(self.channels, self.num_blocks, strict=True)):
            for i in range(number):
                stride = 1 if i else 2 if stage else self.first_stride
                h = block(width, stride, name=f"stage{stage}_{i}")(h)
            self.sow("intermediates", "maps", h)
        h = h.astype(jnp.promote_types(h.dtype, jnp.float32)).mean((1, 2))
        return h if self.num_classes is None else nn.Dense(self.num_classes, name="head")(h)


class PostResidualBlock(nn.Module):
    """relu(x + norm(conv(... relu(norm(conv(x)))))), with x projected where its shape changes."""

    channels: int
    stride: int
    kind: Literal["basic", "bottleneck"]
    strided: Literal[1, 3]
    widening: int
    norm: Callable[..., nn.Module]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H / stride, W / stride, channels]` from `x` `[B, H, W, C]`."""
        convolve = functools.partial(ConvNorm, norm=self.norm, dtype=self.dtype)
        if self.kind == "basic":
            if self.widening != 1:
                raise BadInput(f"widening {self.widening}: only bottlenecks are wider within; a basic block has 1")
            parts = [(self.channels, 3, self.stride), (self.channels, 3, 1)]
        else:
            chex.assert_is_divisible(self.channels, 4)
            width = self.channels // 4 * self.widening
            first, second = (self.stride, 1) if self.strided == 1 else (1, self.stride)
            parts = [(width, 1, first), (width, 3, second), (self.channels, 1, 1)]
        h = x
        for i, part in enumerate(parts):
            h = convolve(*part, name=f"conv{i}")(nn.relu(h) if i else h)
        if self.stride > 1 or x.shape[-1] != self.channels:
            x = convolve(self.channels, 1, self.stride, name="shortcut")(x)
        return nn.relu(x + h)


class ConvNorm(nn.Module):
    """A convolution without a bias, then normalised."""

    channels: int
    side: int  # of the kernel, odd
    stride: int
    norm: Callable[..., nn.Module]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H / stride, W / stride, channels]` (rounded up) from `x` `[B, H, W, C]`."""
        # Zeros evenly about, as in PyTorch: "SAME" has more of them at the end where there is a stride.
        options = {"padding": ((self.side // 2,) * 2,) * 2, "use_bias": False, "kernel_init": fan_out}
        h = Conv(self.channels, (self.side,) * 2, self.stride, dtype=self.dtype, name="conv", **options)(x)
        return self.norm(dtype=self.dtype, name="norm")(h)
