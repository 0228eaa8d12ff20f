"""Pooling: of places, to fewer."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from adl.nn.geometry import MANY, Geometry


def max_pool(x: Array, window: int, stride: int, *, padding: int = 0) -> Array:
    """`[B, floor((H + 2 padding - window) / stride) + 1, ..., C]`, the largest of each window of `x` `[B, H, W, C]`.

    Args:
      x: pictures.
      window: sides of the window.
      stride: places from one window to the next.
      padding: places that are put around the picture, and are never the largest.
    Returns:
      The gradient goes to the first of several that are the largest, row by row.
    """
    chex.assert_rank(x, 4)
    return _largest(x, Geometry.of(x.shape[1:3], (window, window), stride, [(padding, padding)] * 2, 1, 1))


def mean_pool(x: Array, window: int) -> Array:
    """`[B, floor(H / window), floor(W / window), C]`, means of windows side by side of `x` `[B, H, W, C]`.

    Args:
      x: pictures; what is left over at the end of an axis is not seen.
      window: sides of the window.
    """
    chex.assert_rank(x, 4)
    size, height, width, channels = x.shape
    x = x[:, : height // window * window, : width // window * window]
    return x.reshape(size, height // window, window, width // window, window, channels).mean((2, 4))


def adaptive_mean(x: Array, size: Sequence[int]) -> Array:
    """`[B, *size, C]` means of windows that cover `x` `[B, H, W, C]`, whatever its size: PyTorch's `AdaptiveAvgPool2d`.

    Window i of n along an axis of H goes from floor(i H / n) to ceil((i + 1) H / n).

    Args:
      x: pictures, of at least one pixel.
      size: of the result.
    """
    chex.assert_rank(x, 4)
    rows, cols = (_shares(whole, parts).astype(x.dtype) for whole, parts in zip(x.shape[1:3], size, strict=True))
    return jnp.einsum("bhwc,ih,jw->bijc", x, rows, cols)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest(x: Array, geometry: Geometry) -> Array:
    return nn.max_pool(x, geometry.window, geometry.strides, geometry.padding)


@_largest.defjvp
def _largest_moves(geometry: Geometry, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (moves,) = primals, tangents
    if math.prod(geometry.window) <= MANY:
        return _largest(x, geometry), _taken_p.bind(moves, x, geometry=geometry)
    return _largest(x, geometry), _taken(moves, x, geometry)


def _taken(moves: Array, x: Array, geometry: Geometry) -> Array:
    """`[B, places, C]` of `moves` `[B, H, W, C]` that of each window which is the largest of x."""
    return jax.jvp(lambda x: nn.max_pool(x, geometry.window, geometry.strides, geometry.padding), (x,), (moves,))[1]


def _given(slopes: Array, x: Array, geometry: Geometry) -> Array:
    """`[B, H, W, C]`, `slopes` `[B, places, C]` at the largest of each window of x: what `_taken` is transposed."""
    return jax.vjp(lambda x: nn.max_pool(x, geometry.window, geometry.strides, geometry.padding), x)[1](slopes)[0]


# On CPU, where XLA searches each window a number at a time, which takes 7 times (2x2) to 17 times (3x3) as long.


def _taken_on_cpu(moves: Array, x: Array, geometry: Geometry) -> Array:
    winner = _winner(x, geometry)
    return sum(jnp.where(winner == n, part, 0) for n, part in enumerate(_parts(moves, geometry)))


def _given_on_cpu(slopes: Array, x: Array, geometry: Geometry) -> Array:
    """Of places that are alike to the windows, each stride's first, second ..., what the taps give that see them."""
    across = geometry.strides
    whole = [size + sum(pad) for size, pad in zip(geometry.size, geometry.padding, strict=True)]
    num = [-(-size // step) for size, step in zip(whole, across, strict=True)]
    most = [(taps - 1) // step for taps, step in zip(geometry.window, across, strict=True)]
    frame = [(0, 0, 0), *((a, n - p, 0) for a, n, p in zip(most, num, geometry.places, strict=True)), (0, 0, 0)]
    # Else the search would be made again for each tap, in the loops over what it gives.
    winner = lax.pad(lax.optimization_barrier(_winner(x, geometry)), jnp.int8(-1), frame)
    slopes = lax.pad(slopes, jnp.zeros((), slopes.dtype), frame)
    found = {first: jnp.zeros((len(x), *num, x.shape[-1]), slopes.dtype) for first in np.ndindex(across)}
    for n, tap in reversed([*enumerate(np.ndindex(geometry.window))]):  # the order in which XLA adds
        after, first = zip(*(divmod(at, step) for at, step in zip(tap, across, strict=True)), strict=True)
        start = (0, *np.subtract(most, after), 0)
        stop = (len(x), *np.add(start[1:3], num), x.shape[-1])
        found[first] += jnp.where(lax.slice(winner, start, stop) == n, lax.slice(slopes, start, stop), 0)
    rows = [jnp.stack([found[row, column] for column in range(across[1])], 3) for row in range(across[0])]
    every = jnp.stack(rows, 2).reshape(len(x), *np.multiply(num, across), x.shape[-1])
    (top, _), (left, _) = geometry.padding
    return every[:, top : top + geometry.size[0], left : left + geometry.size[1]]


def _winner(x: Array, geometry: Geometry) -> Array:
    """`[B, places, C]` which tap of each window is the largest, counted row by row; as in XLA no nan stays."""
    largest = winner = None
    is_known = np.zeros((*geometry.places, 1), bool)  # whether a tap before was within the picture
    for n, (tap, part) in enumerate(zip(np.ndindex(geometry.window), _parts(x, geometry), strict=True)):
        is_within = _is_within(tap, geometry)
        if n == 0:
            largest, winner = part, jnp.zeros(part.shape, jnp.int8)
        else:
            stays = ((largest >= part) & is_known[None]) | ~is_within[None]
            largest, winner = jnp.where(stays, largest, part), jnp.where(stays, winner, jnp.int8(n))
        is_known = is_known | is_within
    return winner


def _parts(x: Array, geometry: Geometry) -> Iterator[Array]:
    """`[B, places, C]` what each tap sees, row by row; zeros outside."""
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*pad, 0) for pad in geometry.padding), (0, 0, 0)])
    last = np.multiply(np.subtract(geometry.places, 1), geometry.strides) + 1
    for tap in np.ndindex(geometry.window):
        stop = (len(x), *np.add(tap, last), x.shape[-1])
        yield lax.slice(x, (0, *tap, 0), stop, (1, *geometry.strides, 1))


def _is_within(tap: Sequence[int], geometry: Geometry) -> np.ndarray:
    """`[places, 1]` whether it sees the picture there."""
    sides = zip(tap, geometry.size, geometry.places, geometry.strides, geometry.padding, strict=True)
    at = [np.arange(places) * step + first - before for first, _, places, step, (before, _) in sides]
    rows, columns = ((place >= 0) & (place < size) for place, size in zip(at, geometry.size, strict=True))
    return (rows[:, None] & columns)[..., None]


def _shares(whole: int, parts: int) -> np.ndarray:
    """`[parts, whole]`, what each place counts in the mean of each window."""
    first = np.arange(parts) * whole // parts
    last = -(-(np.arange(parts) + 1) * whole // parts)
    place = np.arange(whole)
    inside = (place >= first[:, None]) & (place < last[:, None])
    return inside / inside.sum(1, keepdims=True)


def _linear(name: str, shape: Callable, product: Callable, on_cpu: Callable) -> Primitive:
    """What is linear in the first of (moves or slopes, x) and a choice by the second."""
    primitive = Primitive(f"pooling_{name}")

    def batched(arrays, dims, *, geometry):
        n = next(array.shape[dim] for array, dim in zip(arrays, dims, strict=True) if dim is not None)
        arrays = [
            jnp.broadcast_to(array, (n, *array.shape)) if dim is None else jnp.moveaxis(array, dim, 0)
            for array, dim in zip(arrays, dims, strict=True)
        ]
        out = primitive.bind(*(array.reshape(-1, *array.shape[2:]) for array in arrays), geometry=geometry)
        return out.reshape(n, -1, *out.shape[1:]), 0

    primitive.def_impl(product)
    primitive.def_abstract_eval(lambda of, x, geometry: jax.core.ShapedArray(shape(x, geometry), of.dtype))
    mlir.register_lowering(primitive, mlir.lower_fun(product, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(on_cpu, multiple_results=False), platform="cpu")
    batching.primitive_batchers[primitive] = batched
    ad.defjvp(primitive, lambda moves, _, x, geometry: primitive.bind(moves, x, geometry=geometry), None)
    return primitive


_taken_p = _linear("taken", lambda x, geometry: (x.shape[0], *geometry.places, x.shape[-1]), _taken, _taken_on_cpu)
_given_p = _linear("given", lambda x, geometry: x.shape, _given, _given_on_cpu)


def _transposed(other: Primitive) -> Callable:
    def rule(cotangent, of, x, *, geometry):
        is_zero = isinstance(cotangent, ad.Zero)
        return (ad.Zero(of.aval) if is_zero else other.bind(cotangent, x, geometry=geometry)), None

    return rule


ad.primitive_transposes[_taken_p], ad.primitive_transposes[_given_p] = _transposed(_given_p), _transposed(_taken_p)
