"""Convolutions whose kernels are masked so that each pixel sees only those before it in the order of reading.

Channels of a pixel come one after the other, too: features fall into as many groups as there are channels, feature f
into group f mod C, and at the pixel itself a group sees those before it (mask A, where pixels come in) or these and
itself (mask B, everywhere else).

A map of features is `[B, H, W, F]`. To draw, a model remembers its maps, padded, and makes each place of them once: the
same modules then see a place `[B, 1, 1, F]`, or a row, in place of the whole map.
Sources: van den Oord et al. 2016, arXiv:1601.06759, section 3.4; remembering: Ramachandran et al. 2017,
arXiv:1704.06001.
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput
from adl.nn.convolution import convolve
from adl.nn.mlp import Initializer

Mask = Literal["A", "B", "none"]


class CausalConv(nn.Module):
    """A convolution of what is above and to the left: of `reach[0]` rows above to each side, and of the row itself.

    y[b, r, c] = bias + sum over u <= reach[0], v of kernel[u, v] x[b, r - reach[0] + u, c - reach[1] + v]

    Of the row itself all is seen (mask "none", where that row is known already), or what is to the left, and at the
    place itself the groups of features that the mask lets through.
    """

    channels: int  # of the input
    features: int  # of the output
    reach: tuple[int, int]  # rows above, and columns to the left; in rows above as many to the right
    mask: Mask = "none"
    num_groups: int = 1  # of features, one for each channel of a pixel
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    kernel_init: Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array, known: Array | None = None, at: tuple[Array, Array] | None = None) -> Any:
        """`[B, H, W, features]` of a map; or of a part of it also the map that is then known.

        Args:
          x: `[B, H, W, channels]`; with a known map a part `[B, 1, W', channels]` of a row.
          known: of `empty_map` or `padded_map`, or of the last call.
          at: row and column of that part.
        """
        above, left, right = _padding(self.reach)
        window = (above + 1, left + 1 + right)
        kernel = self.param("kernel", self.kernel_init, (*window, self.channels, self.features))
        if self.mask != "none":
            kernel = kernel * self._seen(window)
        kernel, x = kernel.astype(self.dtype), x.astype(self.dtype)
        if known is None:
            out = convolve(x, kernel, padding=((above, 0), (left, right)))
        else:
            row, column = at
            known = lax.dynamic_update_slice(known, x, (0, above + row, left + column, 0))
            near = (len(x), window[0], x.shape[2] + left + right, self.channels)
            out = convolve(lax.dynamic_slice(known, (0, row, column, 0), near), kernel, padding="VALID")
        if self.use_bias:
            out = out + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)[None, None, None]
        return out if known is None else (out, known)

    def _seen(self, window: tuple[int, int]) -> np.ndarray:
        """`[*window, channels, features]` of 0 and 1."""
        groups = [np.arange(number) % self.num_groups for number in (self.channels, self.features)]
        within = np.less if self.mask == "A" else np.less_equal
        seen = np.ones((*window, self.channels, self.features), np.float32)
        seen[-1, self.reach[1]] = within.outer(*groups)
        seen[-1, self.reach[1] + 1 :] = 0
        return seen


def empty_map(shape: Sequence[int], reach: tuple[int, int], dtype: jnp.dtype) -> Array:
    """The map `[B, H, W, F]` of which nothing is known, padded with the zeros that a convolution sees beyond it.

    Args:
      shape: `(B, H, W, F)`.
      reach: of the convolution.
      dtype: of the computation.
    """
    return padded_map(jnp.zeros(shape, dtype), reach)


def padded_map(x: Array, reach: tuple[int, int]) -> Array:
    """The map that is known where all of `x` `[B, H, W, F]` is; of pixels it must be made anew after each draw."""
    above, left, right = _padding(reach)
    return jnp.pad(x, ((0, 0), (above, 0), (left, right), (0, 0)))


def _padding(reach: tuple[int, int]) -> tuple[int, int, int]:
    """Rows above that are seen, columns to the left, and in rows above to the right."""
    return (*reach, reach[1] if reach[0] else 0)


class Told(nn.Module):
    """What both networks end with: two layers at each place, and P numbers for each channel."""

    width: int
    num_channels: int
    num_outputs: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, h: Array) -> Array:
        """`[B, H, W, C, P]` from `[B, H, W, width]`."""
        more = {"mask": "B", "num_groups": self.num_channels, "dtype": self.dtype}
        h = CausalConv(self.width, self.width, (0, 0), **more)(nn.relu(h))
        out = CausalConv(self.width, self.num_channels * self.num_outputs, (0, 0), **more)(nn.relu(h))
        return out.reshape(*h.shape[:-1], self.num_outputs, self.num_channels).swapaxes(-1, -2)


def keeping(made: Any, kept: list) -> Array:
    """The features that a convolution made; the map that it then knows, if any, is put to what is kept."""
    if not isinstance(made, tuple):
        return made
    kept.append(made[1])
    return made[0]


def at_place(x: Array, row: Array, column: Array) -> Array:
    """`[B, 1, 1, C]`, one place of `x`."""
    return lax.dynamic_slice(x, (0, row, column, 0), (len(x), 1, 1, x.shape[-1]))


def class_bias(model: nn.Module, features: int) -> nn.Embed:
    """What each class adds to so many features; nothing at the start."""
    return nn.Embed(model.num_classes, features, dtype=model.dtype, embedding_init=nn.initializers.zeros)


def require_groups(width: int, multiple: int) -> None:
    """Nothing, where features fall into equal groups.

    Raises:
      BadInput: the width is no multiple.
    """
    if width < 1 or width % multiple:
        raise BadInput(f"a width of {width}: it must be a multiple of {multiple}, as features fall into equal groups")
