"""The monotone rational-quadratic spline: any smooth rising curve through a square, with an inverse in closed form.

Between knots (x_k, y_k) and (x_{k+1}, y_{k+1}) with slopes d_k > 0, of s = (y_{k+1} - y_k) / (x_{k+1} - x_k) and
u = (x - x_k) / (x_{k+1} - x_k),

    y = y_k + (y_{k+1} - y_k) (s u^2 + d_k u (1 - u)) / (s + (d_{k+1} + d_k - 2 s) u (1 - u))

Source: Gregory & Delbourgo 1982, IMA J. Numer. Anal. 2; Durkan et al. 2019, arXiv:1906.04032, eq. 4 to 8.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core.errors import BadInput
from adl.core.types import Array


class RationalQuadratic(NamedTuple):
    """y of each x by a spline of its own; outside of the knots y = x, so the outermost slopes are 1."""

    x: Array  # [..., K + 1] rising knots
    y: Array  # [..., K + 1] rising, from the same to the same
    slope: Array  # [..., K + 1] > 0

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """y of `x [...]`, and the sum of log dy/dx `[]`."""
        is_inside = (x > self.x[..., 0]) & (x < self.x[..., -1])
        piece = self._piece(jnp.where(is_inside, x, (self.x[..., 0] + self.x[..., -1]) / 2), self.x)
        y = jnp.where(is_inside, piece.y + piece.height * piece.rise() / piece.bottom(), x)
        return y, jnp.where(is_inside, piece.log_slope(), 0).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """x of `y [...]`, and the sum of log dx/dy `[]`."""
        is_inside = (y > self.y[..., 0]) & (y < self.y[..., -1])
        at = jnp.where(is_inside, y, (self.y[..., 0] + self.y[..., -1]) / 2)
        piece = self._piece(at, self.y)
        above = (at - piece.y) / piece.height  # in [0, 1]
        bend = piece.right + piece.left - 2 * piece.mean
        a, b = piece.mean - piece.left + above * bend, piece.left - above * bend
        # The root in [0, 1] of a u^2 + b u = mean above, in the form that does not cancel.
        root = jnp.sqrt(jnp.maximum(b**2 + 4 * a * piece.mean * above, 0))
        piece = piece._replace(u=jnp.clip(2 * piece.mean * above / (b + root), 0, 1))
        x = jnp.where(is_inside, piece.x + piece.width * piece.u, y)
        return x, -jnp.where(is_inside, piece.log_slope(), 0).sum()

    def _piece(self, at: Array, knots: Array) -> "_Piece":
        """The piece between the `knots` [..., K + 1] in which each `at` [...] lies."""
        index = (at[..., None] >= knots[..., 1:-1]).sum(-1)[..., None]
        ends = [jnp.take_along_axis(v, index + i, -1)[..., 0] for v in (self.x, self.y, self.slope) for i in (0, 1)]
        left_x, right_x, left_y, right_y, left, right = ends
        width, height = right_x - left_x, right_y - left_y
        return _Piece(left_x, left_y, width, height, left, right, height / width, (at - left_x) / width)


class _Piece(NamedTuple):
    x: Array  # [...] all: the left knot
    y: Array
    width: Array
    height: Array
    left: Array  # slope
    right: Array  # slope
    mean: Array  # slope, s
    u: Array  # place in it, in [0, 1]

    def rise(self) -> Array:
        return self.mean * self.u**2 + self.left * self.u * (1 - self.u)

    def bottom(self) -> Array:
        return self.mean + (self.right + self.left - 2 * self.mean) * self.u * (1 - self.u)

    def log_slope(self) -> Array:
        u, v = self.u, 1 - self.u
        top = self.right * u**2 + 2 * self.mean * u * v + self.left * v**2
        return 2 * jnp.log(self.mean) + jnp.log(top) - 2 * jnp.log(self.bottom())


def rational_spline(raw: Array, *, bound: float, least: float = 1e-3) -> RationalQuadratic:
    """The spline over [-bound, bound] that any numbers say; of zeros the identity.

    Args:
      raw: `[..., 3 K - 1]`: K widths and K heights, by softmax, and K - 1 slopes, by softplus.
      bound: > 0.
      least: > 0, least slope, and share of a width or height of `2 bound`; less than 1 / K.
    Raises:
      BadInput: if the numbers are of no K, or K times `least` is 1 or more.
    Source: Durkan et al. 2019, arXiv:1906.04032, section 3.1 and, of the least, appendix B.
    """
    num_bins, rest = divmod(raw.shape[-1] + 1, 3)
    if rest or num_bins < 1:
        raise BadInput(f"a spline of K pieces wants 3 K - 1 numbers (2, 5, 8, ...), not {raw.shape[-1]}")
    if not 0 < least * num_bins < 1:
        raise BadInput(f"{num_bins} pieces of at least {least:g} of the width each do not fit")
    widths, heights, slopes = jnp.split(raw, (num_bins, 2 * num_bins), -1)
    slopes = least + jax.nn.softplus(slopes + jnp.log(jnp.expm1(1 - least)))
    pad = [(0, 0)] * (raw.ndim - 1) + [(1, 1)]
    knots = (_knots(part, bound, least) for part in (widths, heights))
    return RationalQuadratic(*knots, jnp.pad(slopes, pad, constant_values=1))


def _knots(raw: Array, bound: float, least: float) -> Array:
    share = least + (1 - least * raw.shape[-1]) * jax.nn.softmax(raw)
    ends = jnp.cumsum(share, -1)[..., :-1]
    sides = [(0, 0)] * (raw.ndim - 1)
    inner = jnp.pad(ends, [*sides, (1, 0)])
    return bound * (2 * jnp.pad(inner, [*sides, (0, 1)], constant_values=1) - 1)
