"""The vision transformer: a picture as a text of patches."""

import functools
from collections.abc import Callable
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.encoder import exact_gelu
from adl.nn.transformer import Block, gelu_mlp

layer_norm = functools.partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False)
LARGE = {"num_layers": 24, "num_heads": 16, "width": 1024, "hidden": 4096}
TRANSFORMERS: dict[str, dict[str, Any]] = {  # `VisionTransformer(num_classes, **TRANSFORMERS["vit_l_16"])`
    "vit_b_16": {},
    "vit_b_32": {"patch": (32, 32)},
    "vit_l_16": LARGE,
    "vit_l_32": {"patch": (32, 32), **LARGE},
}


class VisionTransformer(nn.Module):
    """Encoder of patches, with a token of its own for the picture as a whole.

    Patches are embedded, what each place means is added, and `Block`s follow; an affine map of the first token, last
    normalised, is the output. Pictures of another size than it was made for are seen with places in between
    (`between`). Its methods are `encode`, `pool` and `__call__`; the default is ViT-B/16.

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929, eq. 1 to 4; places in between: section 3.2.
    """

    num_classes: int | None = 1000  # K, size of the output; None: the features themselves, without the affine map
    size: tuple[int, int] = (224, 224)  # height and width of the pictures that it is made for
    patch: tuple[int, int] = (16, 16)  # of a patch; what of a picture is no whole patch is not seen
    num_layers: int = 12
    num_heads: int = 12
    width: int = 768  # D, a multiple of the number of heads
    hidden: int = 3072  # width of the perceptrons
    pooler_size: int | None = None  # of what `pool` gives; None: there is no such layer
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    activation: Callable[[Array], Array] = exact_gelu
    norm: Callable[..., nn.Module] = layer_norm  # `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32

    def setup(self):
        """Parts."""
        normal = nn.initializers.truncated_normal(0.02)
        options = {"padding": "VALID", "kernel_init": normal, "dtype": self.dtype}
        self.patches = Conv(self.width, self.patch, self.patch, **options)
        self.first = self.param("first", normal, (1, 1, self.width))
        self.positions = self.param("positions", normal, (1, 1 + int(np.prod(self._grid(*self.size))), self.width))
        feedforward = functools.partial(gelu_mlp, hidden=self.hidden, activation=self.activation)
        of = {"feedforward": feedforward, "norm": self.norm}
        self.blocks = [Block(self.num_heads, self.dropout, self.dtype, **of) for _ in range(self.num_layers)]
        self.last_norm = self.norm(dtype=jnp.float32)
        if self.pooler_size is not None:
            self.pooler = nn.Dense(self.pooler_size, kernel_init=normal)
        if self.num_classes is not None:
            self.head = nn.Dense(self.num_classes, kernel_init=normal)
        self.drop = Dropout(self.dropout)

    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features `[B, D]`, from pictures `x` `[B, H, W, C]`, standardised."""
        h = self.encode(x)
        if self.is_initializing() and self.pooler_size is not None:
            self.pool(h)
        return h[:, 0] if self.num_classes is None else self.head(h[:, 0])

    def encode(self, x: Array) -> Array:
        """`[B, 1 + N, D]` what is known of the picture, and of each of its N patches, row by row.

        Args:
          x: `[B, H, W, C]` pictures of any size.
        Raises:
          BadInput: at trace time, if a picture is smaller than a patch.
        """
        chex.assert_rank(x, 4)
        if min(self._grid(*x.shape[1:3])) < 1:
            raise BadInput(f"pictures of {x.shape[1]}x{x.shape[2]} have no patch of {self.patch[0]}x{self.patch[1]}")
        grid, known = self._grid(*x.shape[1:3]), self._grid(*self.size)
        h = self.patches(x).reshape(len(x), -1, self.width)
        first = jnp.broadcast_to(self.first.astype(self.dtype), (len(x), 1, self.width))
        positions = self.positions
        if grid != known:
            places = between(positions[0, 1:].reshape(*known, -1), grid).reshape(1, -1, self.width)
            positions = jnp.concatenate([positions[:, :1], places], 1)
        h = self.drop(jnp.concatenate([first, h], 1) + positions.astype(self.dtype))
        for block in self.blocks:
            h = block(h)
        return self.last_norm(h.astype(jnp.float32))

    def pool(self, h: Array) -> Array:
        """`[B, pooler_size]` in (-1, 1), of the whole picture, from what `encode` gave."""
        return jnp.tanh(self.pooler(h[:, 0]))

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        """Patches along a picture's height and width."""
        return height // self.patch[0], width // self.patch[1]


def between(values: Array, size: tuple[int, int]) -> Array:
    """`[H', W', D]` of values `[H, W, D]` of the cells of a grid: bicubic (a = -3/4), the borders' values outside.

    As PyTorch's `interpolate` of mode "bicubic": the corners of both grids are the same, and nothing is smoothed where
    the new one is coarser.

    Args:
      values: `[H, W, D]`.
      size: H' and W', of the new grid.
    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 4.
    """
    rows, columns = (jnp.asarray(_weights(*of), values.dtype) for of in zip(values.shape, size, strict=False))
    return jnp.einsum("hi,wj,ijd->hwd", rows, columns, values)


def _weights(old: int, new: int) -> np.ndarray:
    """`[new, old]` what each old cell counts in each new one."""
    place = (np.arange(new) + 0.5) * old / new - 0.5
    begin, weights = np.floor(place).astype(int), np.zeros((new, old))
    for tap in range(-1, 3):
        far = np.abs(place - begin - tap)
        near = 1.25 * far**3 - 2.25 * far**2 + 1
        weight = np.where(far <= 1, near, -0.75 * (far**3 - 5 * far**2 + 8 * far - 4))
        np.add.at(weights, (np.arange(new), np.clip(begin + tap, 0, old - 1)), weight)
    return weights
