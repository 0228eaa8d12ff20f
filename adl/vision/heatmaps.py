"""Heat maps: a place as a bump on a grid, and the place of a bump finer than the grid.

A cell (row i, column j) of a map of stride s stands for s x s pixels, its middle is at (s (j + 1/2), s (i + 1/2)):
pixels are squares, of which the first goes from 0 to 1. Maps are read by their logarithms: of a Gaussian these are a
parabola, whose top its neighbours give exactly; of a softmax over the cells they are its log-odds.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax

Decoder = Callable[[Array], Array]  # logarithms of one map [H, W] -> place [2] (x, y), in cells


def bumps(joints: Array, size: tuple[int, int], *, stride: int = 1, std: float = 1.0) -> Array:
    """`[H, W, J]` Gaussians around places, 1 at their tops.

    exp(-|c - p|^2 / (2 std^2)),   p = pixel / s - 1/2

    Args:
      joints: `[J, 2]` (x, y) in pixels.
      size: H, W of the maps, in cells.
      stride: s >= 1, pixels from one cell to the next.
      std: > 0, in cells.
    Source: Tompson et al. 2014, arXiv:1406.2984, section 3.
    """
    chex.assert_shape(joints, (None, 2))
    x, y = (joints / stride - 0.5).T
    across = jnp.square(jnp.arange(size[1])[:, None] - x[None])
    down = jnp.square(jnp.arange(size[0])[:, None] - y[None])
    return jnp.exp(-(down[:, None] + across[None]) / (2 * std**2))


def places_of(log_heat: Array, decoder: Decoder, *, stride: int = 1) -> Array:
    """`[..., J, 2]` (x, y) in pixels of the bumps of maps.

    Args:
      log_heat: `[..., H, W, J]` logarithms of maps, up to a constant of each.
      decoder: of one map: `highest`, `quarter`, `local_mean`, `parabola`.
      stride: s >= 1, pixels from one cell to the next.
    """
    maps = jnp.moveaxis(log_heat, -1, -3)
    found = jax.vmap(decoder)(maps.reshape(-1, *maps.shape[-2:]))
    return (stride * (found + 0.5)).reshape(*maps.shape[:-2], 2)


def highest(log_heat: Array) -> Array:
    """`[2]` (x, y) of the highest cell of one map `[H, W]`: as fine as the grid."""
    chex.assert_rank(log_heat, 2)
    row, column = jnp.unravel_index(log_heat.argmax(), log_heat.shape)
    return jnp.stack([column, row]).astype(jnp.float32)


def quarter(log_heat: Array) -> Array:
    """`[2]` (x, y) a quarter of a cell from the highest towards the higher of its neighbours, along each axis.

    Source: Newell et al. 2016, arXiv:1603.06937, section 3.4.
    """
    place = highest(log_heat)
    patch = _around(log_heat, place, 1)
    before, after = jnp.stack([patch[1, 0], patch[0, 1]]), jnp.stack([patch[1, 2], patch[2, 1]])
    return place + 0.25 * ((after > before).astype(jnp.float32) - (before > after))


def local_mean(log_heat: Array, radius: int = 2) -> Array:
    """`[2]` (x, y) mean of the cells up to `radius` >= 1 from the highest, weighted by their heat.

    The window cuts a bump's flanks unevenly: 2 cells are too few for a standard deviation above 1.

    Source: Sun et al. 2018, arXiv:1711.08229, eq. 4, within a window.
    """
    place = highest(log_heat)
    share = jax.nn.softmax(_around(log_heat, place, radius).ravel()).reshape(2 * radius + 1, -1)
    steps = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
    return place + jnp.stack([share.sum(0) @ steps, share.sum(1) @ steps])


def parabola(log_heat: Array) -> Array:
    """`[2]` (x, y) of the top of the parabola through a map's logarithms at its highest cell: exact of a Gaussian.

    p = c - H^{-1} g,   g, H differences of log heat at c

    At the border c is the cell next to it. Where the parabola has no top within 1.5 cells of c, or the map is not
    finite there, it is the highest cell.

    Source: Zhang et al. 2020 (DARK), arXiv:1910.06278, eq. 9.
    """
    chex.assert_axis_dimension_gteq(log_heat, 0, 3)
    chex.assert_axis_dimension_gteq(log_heat, 1, 3)
    place = highest(log_heat)
    centre = jnp.clip(place, 1, jnp.array([log_heat.shape[1] - 2.0, log_heat.shape[0] - 2.0]))
    patch = _around(log_heat, centre, 1)
    patch = patch - patch[1, 1]
    slope_x, slope_y = (patch[1, 2] - patch[1, 0]) / 2, (patch[2, 1] - patch[0, 1]) / 2
    bend_x, bend_y = patch[1, 2] + patch[1, 0], patch[2, 1] + patch[0, 1]
    twist = (patch[2, 2] - patch[2, 0] - patch[0, 2] + patch[0, 0]) / 4
    area = bend_x * bend_y - twist * twist
    step = jnp.stack([twist * slope_y - bend_y * slope_x, twist * slope_x - bend_x * slope_y]) / area
    is_top = (bend_x < 0) & (area > 0) & (jnp.abs(step) <= 1.5).all()  # nan is no top
    return jnp.where(is_top, centre + step, place)


DECODERS: dict[str, Decoder] = {"argmax": highest, "quarter": quarter, "mean": local_mean, "parabola": parabola}


def _around(log_heat: Array, place: Array, radius: int) -> Array:
    """`[2 r + 1, 2 r + 1]` of a map `[H, W]` around a cell (x, y); -inf beyond its border."""
    column, row = place.astype(jnp.int32)
    framed = jnp.pad(log_heat, radius, constant_values=-jnp.inf)
    return lax.dynamic_slice(framed, (row, column), (2 * radius + 1,) * 2)
