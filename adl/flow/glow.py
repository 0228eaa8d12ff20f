"""Flows of pictures at several scales: normalised activations, learned mixtures of channels, and halves that leave.

Squares of 2 x 2 pixels become channels; after some layers half of these are done, said to be normal given the others,
which go on to the next scale. A `Glow` step is `ActNorm`, `ChannelMixing`, a coupling of channels.
Sources: Kingma & Dhariwal 2018, arXiv:1807.03039; of the scales, Dinh et al. 2017, arXiv:1605.08803, section 3.6.
"""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.scipy.linalg import lu, solve_triangular

from adl.core import BadInput
from adl.flow.coupling import Coupling, Move, Network, affine_move, channels, checkered, in_sight, moved_back, moved_by
from adl.flow.likelihood import Flow
from adl.nn.convolution import Conv
from adl.nn.unet import depth_to_space, space_to_depth
from adl.prob.product import matmul

LEAST = 1e-3  # standard deviation of a channel, below which the first batch is not scaled up


class ActNorm(nn.Module):
    """z = exp(a) (x - m), a scale and a place a channel, by which the first batch has mean 0 and deviation 1.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.1.
    """

    @nn.compact
    def scale(self, x: Array) -> tuple[Array, Array]:
        """m and a, `[C]` each."""
        rows = x.reshape(-1, x.shape[-1]).astype(jnp.float32)
        mean = self.param("mean", lambda key: rows.mean(0))
        return mean, self.param("log_scale", lambda key: -jnp.log(jnp.maximum(rows.std(0), LEAST)))

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        mean, log_scale = _wide(self.scale(x), x)
        log_det = log_scale.sum() * _places(x)
        return (x - mean) * jnp.exp(log_scale), jnp.full(len(x), log_det)

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        mean, log_scale = _wide(self.scale(z), z)
        return z * jnp.exp(-log_scale) + mean


class ChannelMixing(nn.Module):
    """z = W x of the channels of every pixel, an invertible 1x1 convolution: at first a turn at random.

    W = P L (U + diag(s)), of which the order P and the signs of s stay: log |det W| = sum log |s|, in C steps.
    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2, eq. 10 and 11.
    """

    @nn.compact
    def factors(self, size: int) -> tuple[Array, Array, Array, Array]:
        """P, L, U with its diagonal, and log |s|."""
        turn = lambda key: jnp.linalg.qr(jax.random.normal(key, (size, size)))[0]  # noqa: E731
        key = self.make_rng("params") if self.is_initializing() else None
        start = lu(turn(key)) if key is not None else (jnp.eye(size),) * 3
        order = self.variable("fixed", "order", lambda: start[0]).value
        sign = self.variable("fixed", "sign", lambda: jnp.sign(jnp.diagonal(start[2]))).value
        lower = self.param("lower", lambda key: jnp.tril(start[1], -1))
        upper = self.param("upper", lambda key: jnp.triu(start[2], 1))
        log_scale = self.param("log_scale", lambda key: jnp.log(jnp.abs(jnp.diagonal(start[2]))))
        lower = jnp.tril(lower, -1) + jnp.eye(size)
        return order, lower, jnp.triu(upper, 1) + jnp.diag(sign * jnp.exp(log_scale)), log_scale

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        order, lower, upper, log_scale = self.factors(x.shape[-1])
        rows = x.reshape(-1, x.shape[-1])
        z = matmul(rows, matmul(order, matmul(lower, upper)).T)
        return z.reshape(x.shape), jnp.full(len(x), log_scale.sum() * _places(x))

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        order, lower, upper, _ = self.factors(z.shape[-1])
        rows = matmul(order.T, z.reshape(-1, z.shape[-1]).T)
        x = solve_triangular(upper, solve_triangular(lower, rows, lower=True, unit_diagonal=True))
        return x.T.reshape(z.shape)


class Squeezed(nn.Module):
    """A layer that sees each square of 2 x 2 pixels as the channels of one.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6.
    """

    layer: nn.Module  # of [B, H / 2, W / 2, 4 C]

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        _require_even(x)
        z, log_det = self.layer.forward(space_to_depth(x, 2))
        return depth_to_space(z, 2), log_det

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        _require_even(z)
        return depth_to_space(self.layer.inverse(space_to_depth(z, 2)), 2)


class Halved(nn.Module):
    """Half of the channels goes on through a layer; the other half leaves, normal with what the first says of it.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6; of what the first says, Kingma & Dhariwal 2018,
      arXiv:1807.03039, in the program that comes with it.
    """

    layer: nn.Module  # of [B, H, W, C / 2]
    move: Move = affine_move()

    @nn.compact
    def told(self, kept: Array) -> Array:
        """`[B, H, W, C / 2, P]` of the half that leaves."""
        told = Conv(kept.shape[-1] * self.move.num_outputs, (3, 3), kernel_init=nn.initializers.zeros)(in_sight(kept))
        return told.reshape(*kept.shape, self.move.num_outputs)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        kept, leaving = jnp.split(x, 2, -1)
        left, change = moved_by(self.move, self.told(kept), leaving)
        z, log_det = self.layer.forward(kept)
        return jnp.concatenate([z, left], -1), log_det + change

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        z, left = jnp.split(z, 2, -1)
        kept = self.layer.inverse(z)
        return jnp.concatenate([kept, moved_back(self.move, self.told(kept), left)], -1)


class CouplingNetwork(nn.Module):
    """The network of a coupling of pictures: 3x3, 1x1, 3x3, of which the last says 0 at first.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.3.
    """

    num_outputs: int
    width: int  # channels of the hidden layers
    activation: Callable[[Array], Array] = nn.silu  # of the hidden layers
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, num_outputs]` float32 from `x [B, H, W, C]`."""
        h = self.activation(Conv(self.width, (3, 3), dtype=self.dtype)(x))
        h = self.activation(Conv(self.width, (1, 1), dtype=self.dtype)(h))
        h = Conv(self.num_outputs, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        return h.astype(jnp.float32)


def convolutional_network(width: int, dtype: jnp.dtype = jnp.float32) -> Network:
    """`CouplingNetwork` of that width, of whatever outputs a coupling asks for."""
    return lambda num_outputs: CouplingNetwork(num_outputs, width, dtype=dtype)


def glow(num_levels: int, num_steps: int, network: Network, *, move: Move | None = None) -> Flow:
    """Glow: at each scale, steps of `ActNorm`, `ChannelMixing` and a coupling of channels.

    Args:
      num_levels: >= 1, scales; the sides of pictures must divide by 2^num_levels.
      num_steps: >= 1, at each.
      network: of the couplings.
      move: of the couplings; `affine_move()` where None.
    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3, figure 2.
    """

    def steps():
        for _ in range(num_steps):
            yield from (ActNorm(), ChannelMixing(), Coupling(network, channels(0), move or affine_move()))

    return Flow((scales(num_levels, lambda: tuple(steps())),))


def real_nvp(num_levels: int, network: Network, *, move: Move | None = None) -> Flow:
    """RealNVP of pictures: at each scale, three couplings of checkerboards, and three of the channels of squares.

    Args:
      num_levels: as in `glow`.
      network: as in `glow`.
      move: as in `glow`.
    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6 and, of the normalisation, which is `ActNorm`'s here, 3.7.
    """

    def three(mask, first):
        return [
            layer for i in range(3) for layer in (ActNorm(), Coupling(network, mask(first + i), move or affine_move()))
        ]

    return Flow((*three(checkered, 0), scales(num_levels, lambda: (*three(channels, 0), *three(checkered, 0)))))


def scales(num_levels: int, layers: Callable[[], Sequence[nn.Module]]) -> Squeezed:
    """Layers at each of the scales, and between these half of the channels leaves.

    Args:
      num_levels: >= 1.
      layers: makes those of a scale, of squares that were squeezed.
    Raises:
      BadInput: of no scales.
    """
    if num_levels < 1:
        raise BadInput(f"{num_levels} scales; at least 1")
    rest = (Halved(scales(num_levels - 1, layers)),) if num_levels > 1 else ()
    return Squeezed(Flow((*layers(), *rest)))


def _require_even(x: Array) -> None:
    chex.assert_rank(x, 4)
    if x.shape[1] % 2 or x.shape[2] % 2:
        size = f"{x.shape[1]} x {x.shape[2]}"
        raise BadInput(
            f"pictures of {size} cannot be halved: of L levels both sides must divide by 2^L; "
            "take fewer levels, or resize the pictures"
        )


def _wide(values: tuple[Array, Array], x: Array) -> list[Array]:
    return [value.reshape(*[1] * (x.ndim - 1), -1) for value in values]


def _places(x: Array) -> int:
    """How many vectors of channels an example holds."""
    return x[0].size // x.shape[-1]


def require_halves(shape: Sequence[int], num_levels: int, *, least: int = 1) -> None:
    """Refuses pictures that a flow of several scales cannot halve as often as it has scales.

    Args:
      shape: (H, W, C) of a picture.
      num_levels: >= 1 scales, at each of which both sides are halved.
      least: pixels a side that are left at the last.
    Raises:
      BadInput: which says how many scales there may be, or what size would do.
    """
    sides = shape[:2]

    def fits(n: int) -> bool:
        return all(not side % 2**n and side >= least * 2**n for side in sides)

    if not fits(num_levels):
        fewer = next((n for n in range(num_levels, 0, -1) if fits(n)), 0)
        near, step = f"--num_levels {fewer}, or " if fewer else "", 2**num_levels
        size = "x".join(str(max(least, -(-side // step)) * step) for side in sides)
        raise BadInput(
            f"--num_levels {num_levels}: pictures of {sides[0]} x {sides[1]} cannot be halved so often; {near}"
            f"--picture_size {size} --picture_fit resize"
        )
