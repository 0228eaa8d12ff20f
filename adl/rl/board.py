"""A network of boards: layers with shortcuts, and two heads, one for the actions and one for the value."""

import functools
from typing import Literal

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv


class BoardNetwork(nn.Module):
    """Residual tower without normalisation: each block adds nothing at first, so that any depth can be trained.

    h <- h + layer(relu(layer(relu(h)))),   the last kernel of each block 0 at first

    Layers are 3x3 convolutions; or, of small boards much faster on CPU, affine maps of the whole board.

    Sources: Silver et al. 2017, Nature 550, "Methods", neural network architecture; without batch statistics, Zhang,
    Dauphin & Ma 2019, arXiv:1901.09321.
    """

    num_actions: int  # A
    width: int = 32  # channels of the tower, or units of its affine maps
    num_blocks: int = 2
    kind: Literal["convolutional", "dense"] = "convolutional"
    head: int = 4  # channels of a convolutional tower that each head sees
    hidden: int = 64  # width of the value's hidden layer
    dtype: jnp.dtype = jnp.float32  # of the computation

    @nn.compact
    def __call__(self, obs: Array) -> tuple[Array, Array]:
        """Logits of the actions `[B, A]` and values `[B]` in [-1, 1], of boards `[B, H, W, C]`."""
        chex.assert_rank(obs, 4)
        he = nn.initializers.he_normal()
        if self.kind == "dense":
            h, layer = obs.reshape(len(obs), -1), functools.partial(nn.Dense, self.width, kernel_init=he)
        else:
            h, layer = obs, functools.partial(Conv, self.width, (3, 3), kernel_init=he)
        h = layer(dtype=self.dtype)(h.astype(self.dtype))
        for _ in range(self.num_blocks):
            inner = layer(dtype=self.dtype)(nn.relu(h))
            h = h + layer(dtype=self.dtype, kernel_init=nn.initializers.zeros)(nn.relu(inner))
        h = nn.relu(h)
        dense = functools.partial(nn.Dense, dtype=self.dtype)

        def seen(name):
            """What a head sees of the board: `[B, D]`."""
            return h if self.kind == "dense" else nn.relu(dense(self.head, name=name)(h)).reshape(len(h), -1)

        small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")  # the first policy is nearly uniform
        logits = dense(self.num_actions, kernel_init=small, name="actions")(seen("sees_actions"))
        value = nn.relu(dense(self.hidden, name="worth")(seen("sees_worth")))
        value = jnp.tanh(dense(1, kernel_init=small, name="value")(value).astype(jnp.float32))
        return logits.astype(jnp.float32), value[..., 0]
