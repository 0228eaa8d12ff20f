"""Networks of boards: layers with shortcuts, and two heads; and one for games in which a move joins two squares."""

import functools
from typing import Literal

import chex
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.rl.environment.wrappers import WithLegal


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


class PairNetwork(nn.Module):
    """Policy of moves from a square to a square, each of which says what it is; and a value, by layers of its own.

    logit(a) = q(start(a)) . k(end(a)) / sqrt(size) + bias(kind(a)),   -1e9 of what is not legal

    q and k are layers of what stands on a square, where that is, and the board's mean: so what is learned of taking
    a piece on one square holds on all. At first all legal moves are nearly alike.

    Attributes:
      moves: A triples (start, end, kind), squares by number.
      width: units of a layer.
      size: of q and k.
      dtype: of the computation.
    """

    moves: tuple[tuple[int, int, int], ...]
    width: int = 32
    size: int = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, seen: WithLegal) -> tuple[Array, Array]:
        """Logits `[..., A]` and value `[...]` of boards `[..., H, W, C]` and legal moves `[..., A]`."""
        starts, ends, kinds = np.array(self.moves).T
        obs = seen.obs.reshape(*seen.obs.shape[:-3], -1, seen.obs.shape[-1]).astype(self.dtype)

        def squares(name: str) -> Array:
            place = self.param(f"{name}_place", nn.initializers.normal(0.02), (obs.shape[-2], self.width))
            layer = functools.partial(nn.Dense, self.width, dtype=self.dtype)
            piece = layer(name=f"{name}_piece")(obs)
            h = nn.relu(piece + jnp.broadcast_to(place.astype(self.dtype), piece.shape))
            whole = layer(name=f"{name}_whole")(h.mean(-2, keepdims=True))
            return nn.relu(layer(name=f"{name}_square")(h) + whole)

        h, head = squares("policy"), functools.partial(nn.Dense, self.size, dtype=self.dtype)
        small = nn.initializers.variance_scaling(1e-4, "fan_in", "normal")
        pairs = jnp.einsum("...sd,...td->...st", head(name="start")(h), head(kernel_init=small, name="end")(h))
        pairs = pairs.astype(jnp.float32).reshape(*pairs.shape[:-2], -1) / self.size**0.5
        bias = self.param("kind", nn.initializers.zeros, (int(kinds.max()) + 1,))
        logits = pairs[..., starts * obs.shape[-2] + ends]
        logits = logits + jnp.broadcast_to(bias[kinds], logits.shape)
        value = nn.Dense(1, dtype=self.dtype, name="value")(squares("value").mean(-2))
        return jnp.where(seen.legal, logits, -1e9), value[..., 0].astype(jnp.float32)
