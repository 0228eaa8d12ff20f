"""Captions: what a network of pictures is told in words, and how noisy its picture is."""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.embed import told_noise
from adl.nn.sequence_classifier import over_time
from adl.nn.unet import Words


class TextConditioner(nn.Module):
    """A noise level and a caption, read by a transformer, as the `Words` that a `UNet` is told.

    Its vector is silu(W_2 silu(W_1 sinusoidal(noise) + W_3 mean of the words)).

    Source: Saharia et al. 2022, arXiv:2205.11487, section 2.3 and appendix D.1; here the encoder learns with the
    picture's network.
    """

    encoder: nn.Module  # `encode(token [B, T], mask=[B, T]) -> [B, T, E]`, as `BERT`
    width: int  # even and >= 4; the vector has four times as many entries
    padding: int  # the token of places behind a caption, which nothing sees
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, noise: Array, token: Array) -> Words:
        """The words, each in its caption.

        Args:
          noise: `[B]` noise level or time, as in `embed.Conditioner`.
          token: `[B, T]` integers; the first of each is none of padding.
        """
        mask = token != self.padding
        memory = self.encoder.encode(token, mask=mask)
        told = nn.Dense(4 * self.width, dtype=self.dtype)(over_time(memory, mask, "mean"))
        return Words(told_noise(noise, told, dtype=self.dtype), memory.astype(self.dtype), mask)
