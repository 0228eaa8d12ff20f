"""ConvNeXt: a convolutional network with a transformer's habits."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.encoder import exact_gelu

layer_norm = functools.partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False)
CONVNEXTS: dict[str, dict[str, Any]] = {  # `ConvNeXt(num_classes, **CONVNEXTS["convnext_small"])`
    "convnext_tiny": {"num_blocks": (3, 3, 9, 3)},
    "convnext_small": {"num_blocks": (3, 3, 27, 3)},
    "convnext_base": {"num_blocks": (3, 3, 27, 3), "channels": (128, 256, 512, 1024)},
    "convnext_large": {"num_blocks": (3, 3, 27, 3), "channels": (192, 384, 768, 1536)},
}


class ConvNeXt(nn.Module):
    """Blocks of a 7x7 depthwise convolution and a perceptron at each place, in stages.

    Patches of 4x4, embedded and normalised; stages of blocks, each stage after the first at half the resolution; the
    mean over the picture, normalised, and an affine map. In training, where `apply` is given a `dropout` key, whole
    blocks are skipped (`drop_path`). Apply with `mutable=["intermediates"]` for the `maps` `[B, H, W, C]` after each
    stage. The default is ConvNeXt-T; `CONVNEXTS` has the others.

    Source: Liu et al. 2022, arXiv:2201.03545, figure 4 and appendix A; skipped blocks: Huang et al. 2016,
    arXiv:1603.09382; layer scale: Touvron et al. 2021, arXiv:2103.17239.
    """

    num_classes: int | None = 1000  # K, size of the output; None: the features themselves, without the affine map
    channels: Sequence[int] = (96, 192, 384, 768)  # of each stage
    num_blocks: Sequence[int] = (3, 3, 9, 3)  # of each stage
    patch: tuple[int, int] = (4, 4)  # height and width of a patch; what of a picture is no whole patch is not seen
    layer_scale: float | None = 1e-6  # of what each block adds, at the start, learned by channel; None: there is none
    drop_path: float = 0.0  # in [0, 1), of the last block; from 0 at the first it grows evenly
    activation: Callable[[Array], Array] = exact_gelu
    last_norm: Callable[..., nn.Module] = layer_norm  # of the mean over the picture, `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, channels[-1]]`, from pictures `x` `[B, H, W, C]`, standardised."""
        chex.assert_rank(x, 4)
        normal = nn.initializers.truncated_normal(0.02)
        conv = functools.partial(Conv, padding="VALID", kernel_init=normal, dtype=self.dtype)
        h = conv(self.channels[0], self.patch, self.patch, name="stem")(x)
        h = layer_norm(dtype=self.dtype, name="stem_norm")(h)
        rates = iter(np.linspace(0, self.drop_path, sum(self.num_blocks)).tolist())
        for stage, (width, number) in enumerate(zip(self.channels, self.num_blocks, strict=True)):
            if stage:
                h = layer_norm(dtype=self.dtype, name=f"norm{stage}")(h)
                h = conv(width, (2, 2), 2, name=f"down{stage}")(h)
            for i in range(number):
                of = (self.layer_scale, next(rates), self.activation, self.dtype)
                h = ConvNeXtBlock(*of, name=f"stage{stage}_{i}")(h)
            self.sow("intermediates", "maps", h)
        h = self.last_norm(dtype=jnp.float32, name="last_norm")(h.astype(jnp.float32).mean((1, 2)))
        return h if self.num_classes is None else nn.Dense(self.num_classes, kernel_init=normal, name="head")(h)


class ConvNeXtBlock(nn.Module):
    """x + scale * perceptron(norm(depthwise convolution(x))), the perceptron four times as wide."""

    layer_scale: float | None
    drop_path: float
    activation: Callable[[Array], Array]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C]` from `x` `[B, H, W, C]`."""
        width, normal = x.shape[-1], nn.initializers.truncated_normal(0.02)
        options = {"feature_group_count": width, "kernel_init": normal, "dtype": self.dtype}
        h = Conv(width, (7, 7), padding=((3, 3), (3, 3)), name="depthwise", **options)(x)
        h = layer_norm(dtype=self.dtype, name="norm")(h)
        dense = functools.partial(nn.Dense, kernel_init=normal, dtype=self.dtype)
        h = dense(width, name="out")(self.activation(dense(4 * width, name="hidden")(h)))
        if self.layer_scale is not None:
            scale = self.param("scale", nn.initializers.constant(self.layer_scale), (width,))
            h = h * scale.astype(self.dtype)[(None,) * 3]
        return x + Dropout(self.drop_path, broadcast_dims=(1, 2, 3))(h)  # all of a picture, or nothing
