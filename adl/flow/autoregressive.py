"""Autoregressive flows: each number is moved by what the numbers before it say.

    z_d = t(x_d; network(x_1 ... x_{d-1}))

The density takes one pass of a masked network, and a draw D of them, one number after the other (MAF); turned round,
a draw takes one and the density D (IAF).
Sources: Papamakarios et al. 2017, arXiv:1705.07057; Kingma et al. 2016, arXiv:1606.04934; Germain et al. 2015,
arXiv:1502.03509.
"""

from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput
from adl.flow.coupling import Move, affine_move, in_sight, moved_back, moved_by
from adl.flow.likelihood import Inverted
from adl.nn.masked import MaskedMLP


class Autoregressive(nn.Module):
    """One layer of rows `[B, D]`, of any move: `affine_move()` is MAF's, `spline_move()` that of neural splines.

    Source: Papamakarios et al. 2017, arXiv:1705.07057, eq. 3.
    """

    features: Sequence[int]  # widths of the masked network's hidden layers
    move: Move = affine_move()
    is_reversed: bool = False  # whether the last number comes first
    activation: Callable[[Array], Array] = nn.silu  # of the hidden layers
    dtype: jnp.dtype = jnp.float32  # of the network's computation; parameters are float32

    @nn.compact
    def told(self, x: Array) -> Array:
        """`[B, D, P]` what the network says of each number, by those before it."""
        chex.assert_rank(x, 2)
        order = jnp.arange(x.shape[-1])
        more = {"direct": True, "dtype": self.dtype, "output_init": nn.initializers.zeros}
        network = MaskedMLP(self.features, self.move.num_outputs, self.activation, **more)
        return network(in_sight(x), order=order[::-1] if self.is_reversed else order).astype(jnp.float32)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer: one pass."""
        return moved_by(self.move, self.told(x), x)

    def inverse(self, z: Array) -> Array:
        """As of any layer: D passes, each of which makes one number more exact."""
        self.told(z)  # makes the parameters where there are none yet
        unbound, variables = self.unbind()  # flax wants a module bound within the loop that calls it

        def better(_, x):
            return moved_back(self.move, unbound.apply(variables, x, method="told"), z)

        return lax.fori_loop(0, z.shape[-1], better, jnp.zeros_like(z))


def maf(
    num_layers: int, features: Sequence[int], *, move: Move | None = None, dtype: jnp.dtype = jnp.float32
) -> tuple[Autoregressive, ...]:
    """Layers of a masked autoregressive flow, of which the order turns round each time.

    Args:
      num_layers: >= 1.
      features: hidden widths of each.
      move: `affine_move()` where None.
      dtype: of the networks' computation.
    Raises:
      BadInput: of no layers.
    Source: Papamakarios et al. 2017, arXiv:1705.07057, section 3.
    """
    if num_layers < 1:
        raise BadInput(f"{num_layers} autoregressive layers; at least 1")
    more = {"move": move or affine_move(), "dtype": dtype}
    return tuple(Autoregressive(features, is_reversed=bool(i % 2), **more) for i in range(num_layers))


def iaf(
    num_layers: int, features: Sequence[int], *, move: Move | None = None, dtype: jnp.dtype = jnp.float32
) -> tuple[Inverted, ...]:
    """Layers of an inverse autoregressive flow: a sample takes one pass a layer, the density of any x takes D.

    Args:
      num_layers: as in `maf`.
      features: as in `maf`.
      move: as in `maf`.
      dtype: as in `maf`.
    Raises:
      BadInput: as `maf`.
    Source: Kingma et al. 2016, arXiv:1606.04934, eq. 10.
    """
    return tuple(Inverted(layer) for layer in maf(num_layers, features, move=move, dtype=dtype))
