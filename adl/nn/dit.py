"""The diffusion transformer: a noisy picture as a text of patches; every layer is told the noise and the class."""

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn import embed
from adl.nn.attention import MultiHeadAttention
from adl.nn.dropout import Dropout
from adl.nn.transformer import gelu_mlp
from adl.nn.unet import depth_to_space, space_to_depth, whole_patches


class DiT(nn.Module):
    """Diffusion transformer: called as `UNet` is, with a condition (`embed.Conditioner`), which it must have.

    Patches are embedded, what each place means is added, `AdaptiveBlock`s follow, and an affine map of each patch,
    normalised under the condition, gives its pixels. That map starts at zero. Pictures of any size will do: places have
    no parameters, and the last row and column are repeated to whole patches.

    Source: Peebles & Xie 2023, arXiv:2212.09748, section 3.2, in the variant adaLN-Zero.
    """

    patch: int = 2  # pixels a side of a patch
    num_layers: int = 12
    num_heads: int = 6
    width: int = 384  # D, a multiple of 4 and of the number of heads, at least 8
    hidden: int | None = None  # width of the perceptrons; None: 4 D
    dropout: float = 0.0  # in [0, 1), of what blocks add, when a `dropout` key is given to `apply`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and the output are float32
    features: int | None = None  # channels of the output; None: those of the input

    @nn.compact
    def __call__(self, x: Array, condition: Array) -> Array:
        """`[B, H, W, features]` output picture.

        Args:
          x: `[B, H, W, C]` input picture, of about unit variance.
          condition: `[B, E]` what the blocks are told.
        Raises:
          BadInput: at trace time, of a width that places cannot have.
        """
        chex.assert_rank(x, 4)
        chex.assert_shape(condition, (len(x), None))
        tall, wide = x.shape[1:3]
        features = self.features or x.shape[-1]
        x = space_to_depth(whole_patches(x, self.patch), self.patch)
        size, height, width, channels = x.shape
        h = nn.Dense(self.width, dtype=self.dtype, name="patches")(x.reshape(-1, channels))
        h = h.reshape(size, height * width, self.width) + grid_places(height, width, self.width).astype(self.dtype)
        for layer in range(self.num_layers):
            of = self.num_heads, self.hidden, self.dropout, self.dtype
            h = AdaptiveBlock(*of, name=f"block_{layer}")(h, condition)
        shift, scale = _told(condition, 2, self.width, self.dtype, "last_told")
        h = _normalised(h, self.dtype) * (1 + scale) + shift
        zeros = nn.initializers.zeros
        last = nn.Dense(features * self.patch**2, kernel_init=zeros, dtype=jnp.float32, name="last")
        h = last(h.reshape(-1, self.width)).reshape(size, height, width, -1)
        return depth_to_space(h, self.patch)[:, :tall, :wide]


class AdaptiveBlock(nn.Module):
    """Attention and a perceptron around a stream; the condition scales and shifts what each sees, and gates its answer.

    h = x + g_1 attention((1 + s_1) norm(x) + b_1);   h + g_2 perceptron((1 + s_2) norm(h) + b_2)

    The map from the condition to the six starts at zero, and with it the gates: the block is the identity.

    Source: Peebles & Xie 2023, arXiv:2212.09748, figure 3 (adaLN-Zero).
    """

    num_heads: int
    hidden: int | None = None  # of the perceptron; None: 4 D
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array) -> Array:
        """`[B, T, D]` from `x` `[B, T, D]` and `condition` `[B, E]`."""
        dim, drop = x.shape[-1], Dropout(self.dropout)
        attend = MultiHeadAttention(self.num_heads, self.dtype)
        think = gelu_mlp(dim, self.hidden, dtype=self.dtype)
        told = _told(condition, 6, dim, self.dtype, "told")
        for change, (shift, scale, gate) in ((attend, told[:3]), (think, told[3:])):
            x = x + gate * drop(change(_normalised(x, self.dtype) * (1 + scale) + shift))
        return x


def grid_places(height: int, width: int, dim: int) -> Array:
    """`[1, H W, D]` places of the cells of a grid, row by row: sines and cosines of the column, then of the row.

    (sin(w_i x), cos(w_i x), sin(w_i y), cos(w_i y)),   w_i = 10000^(-4 i / D),   i = 0 ... D/4 - 1

    Args:
      height: H >= 1, rows.
      width: W >= 1, columns.
      dim: D >= 8, a multiple of 4.
    Raises:
      BadInput: of another D.
    Source: Peebles & Xie 2023, arXiv:2212.09748, section 3.2, as in their code.
    """
    if dim < 8 or dim % 4:
        raise BadInput(f"a width of {dim} has no places of a grid: it must be a multiple of 4, at least 8")
    slowest = 1e-4 ** (1 - 4 / dim)

    def along(number: int) -> Array:
        return jnp.roll(embed.sinusoidal(jnp.arange(number), dim // 2, slowest=slowest), dim // 4, -1)

    rows, columns = along(height).repeat(width, 0), jnp.tile(along(width), (height, 1))
    return jnp.concatenate([columns, rows], -1)[None]


def _told(condition: Array, number: int, dim: int, dtype: jnp.dtype, name: str) -> list[Array]:
    """Vectors `[B, 1, D]`, as many, of the condition `[B, E]`: all 0 at the start."""
    dense = nn.Dense(number * dim, kernel_init=nn.initializers.zeros, dtype=dtype, name=name)
    return jnp.split(dense(condition)[:, None], number, -1)


def _normalised(x: Array, dtype: jnp.dtype) -> Array:
    return nn.LayerNorm(epsilon=1e-6, use_bias=False, use_scale=False, use_fast_variance=False, dtype=dtype)(x)
