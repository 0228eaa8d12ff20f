"""Toy densities in the plane, in pure JAX: `name(key, n, *, noise) -> (points [n, 2] float32, labels [n])`.

All lie within about [-4, 4] x [-4, 4]. Where a label names a part, parts take turns, so that classes are balanced, or
as the toy says; `noise`, where there is any, is the standard deviation, >= 0, of Gaussian noise on both coordinates.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.data.split import Split


def splits(toy: Callable[..., tuple[Array, Array]], num_train: int, num_test: int) -> tuple[Split, Split]:
    """Points to fit, of the key 0, and points to test, of the key 1: "x" `[N, 2]` and "label" `[N]`.

    Args:
      toy: one of those below, or a `functools.partial` of it.
      num_train: N >= 1 of the first.
      num_test: N >= 1 of the second.
    """
    drawn = [toy(jax.random.key(i), n) for i, n in enumerate((num_train, num_test))]
    return tuple(Split({"x": np.asarray(x), "label": np.asarray(label)}) for x, label in drawn)


def two_moons(key: Key, n: int, *, noise: float = 0.1) -> tuple[Array, Array]:
    """Two interleaved half circles of radius 1; the label is the moon, 0 or 1.

    (cos t, sin t) and (1 - cos t, 1/2 - sin t) with t uniform in [0, pi], plus Gaussian noise.
    """
    key_t, key_noise = jax.random.split(key)
    t = jax.random.uniform(key_t, (n,), maxval=jnp.pi)
    label = jnp.arange(n) % 2
    upper = jnp.stack([jnp.cos(t), jnp.sin(t)], -1)
    lower = jnp.stack([1 - jnp.cos(t), 0.5 - jnp.sin(t)], -1)
    return jnp.where(label[:, None] == 0, upper, lower) + _gaussian(key_noise, n, noise), label


def rings(key: Key, n: int, *, num_rings: int = 3, noise: float = 0.05) -> tuple[Array, Array]:
    """Concentric circles of radius 1, 2, ..., `num_rings`, equally likely; the label is the ring."""
    key_t, key_noise = jax.random.split(key)
    t = jax.random.uniform(key_t, (n,), maxval=2 * jnp.pi)
    label = jnp.arange(n) % num_rings
    points = (label + 1.0)[:, None] * jnp.stack([jnp.cos(t), jnp.sin(t)], -1)
    return points + _gaussian(key_noise, n, noise), label


def spirals(key: Key, n: int, *, turns: float = 1.5, noise: float = 0.05) -> tuple[Array, Array]:
    """Two spiral arms, r = 3 sqrt(u) at the angle 2 pi turns sqrt(u) (+ pi), u uniform; the label is the arm."""
    key_u, key_noise = jax.random.split(key)
    root = jnp.sqrt(jax.random.uniform(key_u, (n,)))
    label = jnp.arange(n) % 2
    angle = 2 * jnp.pi * turns * root + jnp.pi * label
    points = 3 * root[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    return points + _gaussian(key_noise, n, noise), label


def eight_gaussians(key: Key, n: int, *, noise: float = 0.2) -> tuple[Array, Array]:
    """Isotropic Gaussians of standard deviation `noise`, evenly on a circle of radius 2; the label is the component."""
    label = jnp.arange(n) % 8
    angle = label * (jnp.pi / 4)
    return 2 * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1) + _gaussian(key, n, noise), label


def grid_gaussians(key: Key, n: int, *, num_sides: int = 5, noise: float = 0.05) -> tuple[Array, Array]:
    """Isotropic Gaussians of standard deviation `noise` on a square grid of spacing 2; the label is the component.

    Component `num_sides * row + column` has its mean at `grid_means(num_sides)` of that index.
    Source: as a test of lost modes, Dumoulin et al. 2017, arXiv:1606.00704; Srivastava et al. 2017, arXiv:1705.07761.
    """
    label = jnp.arange(n) % num_sides**2
    return grid_means(num_sides)[label] + _gaussian(key, n, noise), label


def grid_means(num_sides: int = 5) -> Array:
    """`[num_sides^2, 2]` means of `grid_gaussians`, (2 column, 2 row) about the origin."""
    row, column = jnp.divmod(jnp.arange(num_sides**2), num_sides)
    return 2.0 * jnp.stack([column, row], -1) - (num_sides - 1)


def ring(n: int, *, radius: float = 2.0, start: float = 0.0) -> Array:
    """`[n, 2]` points evenly on a circle about the origin, the first at the angle `start` in radians."""
    angle = start + jnp.arange(n) * (2 * jnp.pi / n)
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def mesh(limit: float, num_sides: int) -> np.ndarray:
    """`[num_sides^2, 2]` points of a square grid over [-limit, limit] x [-limit, limit], row by row from below."""
    side = np.linspace(-limit, limit, num_sides, dtype=np.float32)
    return np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)


def swiss_roll(key: Key, n: int, *, noise: float = 0.05) -> tuple[Array, Array]:
    """One spiral arm, t (cos t, sin t) / 4, t uniform in [3 pi / 2, 9 pi / 2]; the label is t, the place along it."""
    key_t, key_noise = jax.random.split(key)
    t = jax.random.uniform(key_t, (n,), minval=1.5 * jnp.pi, maxval=4.5 * jnp.pi)
    return t[:, None] * jnp.stack([jnp.cos(t), jnp.sin(t)], -1) / 4 + _gaussian(key_noise, n, noise), t


def checkerboard(key: Key, n: int) -> tuple[Array, Array]:
    """Uniform on the 8 dark squares, of side 2, of a board over [-4, 4] x [-4, 4]; the label is the square."""
    square = jnp.arange(n) % 8
    row, column = square // 2, 2 * (square % 2) + (square // 2) % 2
    corner = 2.0 * jnp.stack([column, row], -1) - 4
    return corner + jax.random.uniform(key, (n, 2), maxval=2.0), square


def eruptions(key: Key, n: int) -> tuple[Array, Array]:
    """Short and long eruptions of a geyser, and the waits after them; the label is 0 for short, 1 for long.

    Two correlated Gaussians, 4 and 7 in 11 of the points, in units in which both coordinates have about mean 0 and
    standard deviation 1. Invented in the likeness of the eruptions of Old Faithful.
    """
    label = (jnp.arange(n) % 11 >= 4).astype(jnp.int32)
    mean = jnp.array([[-1.25, -1.2], [0.7, 0.65]])[label]
    std = jnp.array([[0.25, 0.45], [0.35, 0.45]])[label]
    first, second = jax.random.normal(key, (2, n))
    correlated = jnp.stack([first, 0.35 * first + jnp.sqrt(1 - 0.35**2) * second], -1)
    return mean + std * correlated, label


def _gaussian(key: Key, n: int, scale: float) -> Array:
    return scale * jax.random.normal(key, (n, 2))
