"""Pictures that are read: as a row of vectors, at which the words of a decoder look."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core.types import PyTree
from adl.nn.convolution import Conv
from adl.nn.encoder_decoder import DecoderCache, EncoderDecoder
from adl.nn.transformer import GPT, gelu, layer_norm


class PictureTokens(nn.Module):
    """A picture as a row of vectors, one for each cell of the grid that convolutions leave, with its place added.

    Each layer is a convolution of 3x3, normalised over channels, and GELU; the last is normalised once more.

    Source: a vector for each cell of a convolutional network: Xu et al. 2015, arXiv:1502.03044, section 3.1.1.
    """

    widths: Sequence[int]  # channels of each layer; the last is D
    strides: Sequence[int]  # of each layer
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, U, D]`, row by row of the grid, of pictures `x` `[B, H, W, C]`, about standardised."""
        h = x
        for width, stride in zip(self.widths, self.strides, strict=True):
            h = gelu(layer_norm(dtype=self.dtype)(Conv(width, (3, 3), stride, dtype=self.dtype)(h)))
        h = h.reshape(len(x), -1, h.shape[-1])
        places = self.param("places", nn.initializers.normal(0.02), h.shape[1:])
        return layer_norm(dtype=self.dtype)(h + places[None].astype(self.dtype))


class Captioner(nn.Module):
    """A decoder of texts that looks at a picture: log-odds of each next token, given those up to it and the picture.

    Source: Xu et al. 2015, arXiv:1502.03044, section 3.1; by a transformer: Vaswani et al. 2017, arXiv:1706.03762,
    section 3.1.
    """

    picture: nn.Module  # `x [B, H, W, C] -> [B, U, E]`, as `PictureTokens`
    text: EncoderDecoder  # of which the decoder is used alone

    def __call__(self, x: Array, token: Array) -> Array:
        """`[B, T, V]` logits of the token after each of `token` `[B, T]`, given pictures `x`."""
        return self.text.decode(token, self.picture(x))

    def encode(self, x: Array, *, mask: None = None) -> Array:
        """`[B, U, E]` memory of pictures, as `EncoderDecoder.encode` of texts; all of it is real."""
        return self.picture(x)

    def decode(self, token: Array, memory: Array | None = None, **given) -> Array | tuple[Array, DecoderCache]:
        """As `EncoderDecoder.decode`."""
        return self.text.decode(token, memory, **given)

    def empty_cache(self, size: int, length: int, memory_length: int) -> DecoderCache:
        """As `EncoderDecoder.empty_cache`."""
        return self.text.empty_cache(size, length, memory_length)

    def looks(self, variables: PyTree, x: Array, token: Array) -> Array:
        """`[B, T, U]` where in pictures `x` each of `token` `[B, T]` looks: the last layer's weights, of all heads."""
        _, seen = self.apply(variables, x, token, mutable=["intermediates"])
        text = seen["intermediates"]["text"]
        last = text[max(name for name in text if name.startswith("decoder_"))]
        return last["MultiHeadAttention_1"]["weights"][0].mean(1)


class PictureGPT(nn.Module):
    """A language model that reads a picture first, each of its vectors as if it were a token of the text.

    Source: Liu et al. 2023, arXiv:2304.08485, section 4.1, eq. 1: an affine map from what an encoder of pictures knows
    to the language model's embeddings; here the encoder learns with it.
    """

    picture: nn.Module  # `x [B, H, W, C] -> [B, U, E]`, as `PictureTokens`
    text: GPT  # with room for U tokens and the text

    @nn.compact
    def __call__(self, x: Array, token: Array) -> Array:
        """`[B, T, V]` logits of the token after each of `token` `[B, T]`, given pictures `x`."""
        before = nn.Dense(self.text.width, dtype=self.text.dtype, name="projection")(self.picture(x))
        return self.text(token, before=before)
