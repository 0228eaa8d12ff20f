"""What self-supervised methods train: an encoder, whose output is kept, and a projector that serves the loss alone.

A loss asks the projection to forget what tells the views of a picture apart; the representation before it may keep it.
Source: Chen et al. 2020, arXiv:2002.05709, section 4.2.
"""

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import Key, PyTree, State, border
from adl.nn.mlp import MLP, flat
from adl.nn.resnet import BatchNorm

View = Callable[[Key, Array], Array]  # (key, images [B, H, W, C]) -> a random view of each


class Embedder(nn.Module):
    """projector(encoder(x)).

    Attributes:
      encoder: pictures `[B, ...]` to representations `[B, D]`.
      projector: representations to projections `[B, P]`.
    """

    encoder: nn.Module
    projector: nn.Module

    def __call__(self, x: Array) -> Array:
        """Projections `[B, P]` of pictures `x`, float32."""
        return self.projector(self.encoder(x)).astype(jnp.float32)

    def represent(self, x: Array) -> Array:
        """Representations `[B, D]` of pictures `x`, float32."""
        return self.encoder(x).astype(jnp.float32)


def normalised(x: Array) -> Array:
    """`x [..., P]` over its Euclidean norm along the last axis; zero stays zero."""
    square = jnp.square(x).sum(-1, keepdims=True)
    return jnp.where(square > 0, x / jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def of_perceptrons(
    encoder: Sequence[int], projector: Sequence[int], *, axis: str | None = None, dtype: jnp.dtype = jnp.float32
) -> Embedder:
    """An embedder of small pictures by two multilayer perceptrons with batch normalisation.

    Args:
      encoder: widths of its layers; the last, of the representation, is rectified too.
      projector: widths of its layers; the last is affine.
      axis: as in `BatchNorm`.
      dtype: of the computation.
    """
    mlp = functools.partial(MLP, norm=functools.partial(BatchNorm, axis=axis), dtype=dtype)
    return Embedder(nn.Sequential([flat, mlp(tuple(encoder)), nn.relu]), mlp(tuple(projector)))


# What a linear probe compares: (key, state, images [B, ...]) -> features [B, D].


def learned(
    embedder: Embedder, encode: Callable[[Array], Array], variables: Callable[[State], PyTree]
) -> Callable[[Key, State, Array], Array]:
    """The representation of a state whose `variables(state)` are the embedder's."""
    return lambda key, state, images: embedder.apply(variables(state), encode(images), method="represent")


def encoded(encode: Callable[[Array], Array]) -> Callable[[Key, PyTree], Array]:
    """`prepare` of batches `{"image": [B, ...]}`: the pictures as `encode` makes them, `[B, ...]` float."""

    def prepare(key, batch):
        border.check(batch, image="[B, ...]")
        return encode(batch["image"])

    return prepare


def untrained(embedder: Embedder, encode: Callable[[Array], Array]) -> Callable[[Key, State, Array], Array]:
    """The representation of the same network with parameters that are drawn anew: what is not owed to learning."""

    def represent(key, state, images):
        return embedder.apply(embedder.init(key, encode(images)), encode(images), method="represent")

    return represent


def pixels(encode: Callable[[Array], Array]) -> Callable[[Key, State, Array], Array]:
    """The pictures themselves, in a row."""
    return lambda key, state, images: flat(encode(images))


def references(embedder: Embedder, encode: Callable[[Array], Array]) -> dict[str, Callable[[Key, State, Array], Array]]:
    """What a representation must be better than to have learned anything."""
    return {"pixels": pixels(encode), "untrained": untrained(embedder, encode)}
