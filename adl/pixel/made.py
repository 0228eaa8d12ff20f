"""MADE: a perceptron whose weights are masked so that what it says of a pixel follows from the pixels before it.

Source: Germain et al. 2015, arXiv:1502.03509.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput
from adl.nn.masked import MaskedMLP, hidden_degrees
from adl.pixel.raster import class_of, symmetric_levels


class MADE(nn.Module):
    """The masked perceptron over all pixels of a picture, in the order of reading."""

    shape: Sequence[int]  # (H, W, C)
    num_levels: int  # K
    num_outputs: int  # P, numbers that are said of each pixel
    hidden: Sequence[int] = (512, 512)  # width of each hidden layer
    num_classes: int = 0  # of the class that is given; 0: none is
    activation: Callable[[Array], Array] = nn.relu  # of the hidden layers
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    def setup(self):
        """Its layers."""
        if not self.hidden:
            raise BadInput("a MADE without a hidden layer: there must be 1 or more, or nothing is seen of other pixels")
        self.network = MaskedMLP(self.hidden, self.num_outputs, self.activation, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C, P]` from levels `[B, H, W, C]`, and where there are classes these `[B]`."""
        out = self.network(symmetric_levels(x.reshape(len(x), -1), self.num_levels), self._context(label))
        return out.reshape(*x.shape, self.num_outputs)

    def empty_cache(self, size: int) -> Array:
        """`[B, N]` what the first hidden units have gathered of the pixels so far: nothing."""
        return jnp.zeros((size, self.hidden[0]), self.dtype)

    def read(self, x: Array, place: Array, cache: Array, label: Array | None = None) -> tuple[Array, Array]:
        """`[B, P]` of the pixel at `place`: only the last pixel is new to the first units, and one pixel is told of.

        Args:
          x: `[B, H, W, C]`, right before `place`.
          place: `[]` integer; places are read in turn from 0.
          cache: of the place before.
          label: `[B]`.
        """
        params, context = self.network.variables["params"], self._context(label)
        flat = symmetric_levels(x.reshape(len(x), -1), self.num_levels).astype(self.dtype)
        num_inputs = flat.shape[1]
        last = jnp.maximum(place - 1, 0)
        # The masks as in `MaskedMLP`: input i has degree i + 1, and output i sees degrees up to i.
        first = jnp.where(jnp.asarray(hidden_degrees(self.hidden[0], num_inputs)) > last, 1, 0)
        seen = jnp.where(place > 0, flat[:, last], 0)[:, None] * (params["hidden_0_kernel"][last] * first)[None]
        cache = cache + seen.astype(self.dtype)
        h, degrees = cache, None
        for layer, width in enumerate(self.hidden):
            wanted = jnp.asarray(hidden_degrees(width, num_inputs))
            if layer:
                mask = wanted[None, :] >= degrees[:, None]
                h = h @ (params[f"hidden_{layer}_kernel"] * mask).astype(self.dtype)
            h = h + params[f"hidden_{layer}_bias"].astype(self.dtype)[None]
            if context is not None:
                h = h + context @ params[f"context_{layer}"]["kernel"].astype(self.dtype)
            h, degrees = self.activation(h), wanted

        def told(weights: Array) -> Array:
            """The columns `[..., P]` about this pixel, of `[..., D P]`."""
            return lax.dynamic_slice_in_dim(weights, place * self.num_outputs, self.num_outputs, -1).astype(self.dtype)

        out = h @ (told(params["output_kernel"]) * (degrees <= place)[:, None]) + told(params["output_bias"])[None]
        return out if context is None else out + context @ told(params["context_output"]["kernel"]), cache

    def _context(self, label: Array | None) -> Array | None:
        label = class_of(label, self.num_classes)
        return None if label is None else jax.nn.one_hot(label, self.num_classes, dtype=self.dtype)
