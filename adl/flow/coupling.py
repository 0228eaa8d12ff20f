"""Coupling layers: part of an example stays, and says how the rest of it is moved, number by number.

    z_a = x_a,   z_b = t(x_b; network(x_a))

The Jacobian is triangular, so its determinant is that of t alone, and the inverse needs the network only forwards.
NICE adds, RealNVP scales and adds; `spline.py` bends. Layers of the two parities take turns.
Sources: Dinh et al. 2015, arXiv:1410.8516, eq. 4; Dinh et al. 2017, arXiv:1605.08803, eq. 4 to 9.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.mlp import MLP
from adl.prob.bijector import Affine, Bijector

Network = Callable[[int], nn.Module]  # P -> a network of P outputs: x [B, ..., C] -> [B, ..., P]
Mask = Callable[[Sequence[int]], np.ndarray]  # shape of an example -> bool of that shape: what stays

SEEN = 10.0  # standard deviations of the latent, about, beyond which networks see no difference


class Move(NamedTuple):
    """How a number is moved: a family of rising maps, one for any numbers that a network says."""

    num_outputs: int  # P, of the network for each number moved
    bijector: Callable[[Array], Bijector]  # told [..., P] -> elementwise over [...]; of zeros the identity


additive_move = Move(1, lambda told: Affine(told[..., 0], jnp.zeros_like(told[..., 0])))
"""z = x + b: volume is kept. Source: Dinh et al. 2015, arXiv:1410.8516, eq. 7."""


def affine_move(bound: float = 2.0) -> Move:
    """z = exp(a) x + b, with a bounded so that no layer stretches beyond what its inverse can bring back.

    Args:
      bound: > 0, of |a|.
    Source: Dinh et al. 2017, arXiv:1605.08803, eq. 7.
    """
    return Move(2, lambda told: Affine(told[..., 0], bound * jnp.tanh(told[..., 1] / bound)))


class Coupling(nn.Module):
    """One coupling layer, of rows or of pictures."""

    network: Network  # of the outputs asked for; `row_network`, or a convolutional one
    mask: Mask  # what stays: `every_other`, `checkered`, `channels`
    move: Move = affine_move()

    @nn.compact
    def told(self, x: Array) -> Array:
        """`[B, ..., P]` what the network says of each number, by those that stay."""
        stays, size = self._stays(x), x.shape[-1]
        told = self.network(size * self.move.num_outputs)(in_sight(x * stays)).astype(jnp.float32)
        return told.reshape(*x.shape, self.move.num_outputs)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        return moved_by(self.move, self.told(x), x, self._stays(x))

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        return moved_back(self.move, self.told(z), z, self._stays(z))

    def _stays(self, x: Array) -> Array:
        return jnp.asarray(self.mask(x.shape[1:]))[None]


def in_sight(x: Array) -> Array:
    """`x` as a network sees it: bounded by `SEEN`, so that far out a layer is affine, which is inverted to rounding."""
    return SEEN * jnp.tanh(x / SEEN)


def moved_by(move: Move, told: Array, x: Array, stays: Array | None = None) -> tuple[Array, Array]:
    """`x [B, ...]` moved where it does not stay, and the log-determinant `[B]`.

    Args:
      move: how.
      told: `[B, ..., P]` by the network.
      x: `[B, ...]`.
      stays: bool `[1, ...]`, or None: nothing does.
    """
    z, log_det = jax.vmap(lambda told, x: move.bijector(told).forward_and_log_det(x))(_still(told, stays), x)
    return (z if stays is None else jnp.where(stays, x, z)), log_det


def moved_back(move: Move, told: Array, z: Array, stays: Array | None = None) -> Array:
    """`[B, ...]` what `moved_by` made `z` of, told the same."""
    x = jax.vmap(lambda told, z: move.bijector(told).inverse_and_log_det(z)[0])(_still(told, stays), z)
    return x if stays is None else jnp.where(stays, z, x)


def _still(told: Array, stays: Array | None) -> Array:
    """0 of what stays, by which it is moved by the identity."""
    return told if stays is None else jnp.where(stays[..., None], 0, told)


def every_other(parity: int) -> Mask:
    """Rows: every other number stays, from the first (parity 0) or from the second (1)."""

    def mask(shape):
        if len(shape) != 1 or shape[0] < 2:
            raise BadInput(f"a coupling of rows wants at least 2 numbers an example, [B, D], not {list(shape)}")
        return np.arange(shape[0]) % 2 == parity % 2

    return mask


def checkered(parity: int) -> Mask:
    """Pictures: the dark squares of a board of pixels stay, or the light ones.

    Source: Dinh et al. 2017, arXiv:1605.08803, figure 3.
    """

    def mask(shape):
        height, width, channels = _picture(shape)
        if height * width < 2:
            raise BadInput(f"a checkered coupling wants at least 2 pixels, not {height} x {width}")
        board = np.add.outer(np.arange(height), np.arange(width)) % 2 == parity % 2
        return np.broadcast_to(board[..., None], (height, width, channels))

    return mask


def channels(parity: int) -> Mask:
    """Pictures: the first half of the channels stays, or the second."""

    def mask(shape):
        shape = _picture(shape)
        if shape[-1] < 2:
            raise BadInput(f"a coupling of channels wants at least 2; {shape[-1]} has no halves: squeeze first")
        return np.broadcast_to((np.arange(shape[-1]) < shape[-1] // 2) == (parity % 2 == 0), shape)

    return mask


def _picture(shape: Sequence[int]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise BadInput(f"this coupling is of pictures [B, H, W, C]; an example is {list(shape)}")
    return tuple(shape)


def row_network(
    hidden: Sequence[int], activation: Callable[[Array], Array] = nn.silu, dtype: jnp.dtype = jnp.float32
) -> Network:
    """A perceptron for rows, which at first says 0: the layer begins as the identity.

    Args:
      hidden: widths of its hidden layers.
      activation: of these.
      dtype: of the computation; what it says is float32.
    """
    return lambda num: MLP((*hidden, num), activation, dtype=dtype, output_init=nn.initializers.zeros)


def couplings(num_layers: int, network: Network, *, move: Move, mask: Callable[[int], Mask] = every_other) -> tuple:
    """Layers of which what stays takes turns.

    NICE is by `additive_move`, RealNVP by `affine_move()`, neural splines by `spline_move()`.

    Args:
      num_layers: >= 2, for that all numbers move.
      network: of each.
      move: of each.
      mask: of a parity.
    Raises:
      BadInput: of fewer layers.
    """
    if num_layers < 2:
        raise BadInput(f"{num_layers} coupling layers leave numbers unmoved; at least 2")
    return tuple(Coupling(network, mask(i), move) for i in range(num_layers))
