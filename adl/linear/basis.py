"""Basis functions: what a linear model sees of a number, so that it need not be linear in it.

All map numbers `[...]` to features `[..., M]`; none of them but `polynomial` and `fourier` holds the constant.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 3.1.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core.types import Array


def polynomial(x: Array, degree: int) -> Array:
    """`[..., degree + 1]` powers 1, x, x^2, ...; best on [-1, 1]."""
    return jnp.stack([jnp.ones_like(x), *(x**power for power in range(1, degree + 1))], -1)


def gaussian(x: Array, centres: Array, width: float) -> Array:
    """`[..., M]` bumps exp(-(x - c)^2 / (2 width^2)).

    Args:
      x: `[...]`.
      centres: `[M]`, in the unit of x.
      width: > 0, standard deviation of a bump, in the unit of x.
    """
    chex.assert_rank(centres, 1)
    return jnp.exp(-0.5 * jnp.square(_scaled(x, centres, width)))


def sigmoid(x: Array, centres: Array, width: float) -> Array:
    """`[..., M]` steps 1 / (1 + exp(-(x - c) / width)); arguments as of `gaussian`."""
    return jax.nn.sigmoid(_scaled(x, centres, width))


def fourier(x: Array, num_waves: int, period: float) -> Array:
    """`[..., 1 + 2 num_waves]`: 1, then cosine and sine of 2 pi k x / period for k = 1 ... num_waves.

    Orthogonal over a period.
    """
    k = jnp.arange(1, num_waves + 1)
    # What is left of whole turns is exact; the angle of a large number is not.
    turns = jnp.expand_dims(lax.rem(x, jnp.full_like(x, period)) / period, -1) * _aligned(k, x)
    angle = 2 * jnp.pi * (turns - jnp.round(turns))
    waves = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1).reshape(*jnp.shape(x), 2 * num_waves)
    return jnp.concatenate([jnp.ones_like(waves[..., :1]), waves], -1)


def spline(x: Array, knots: Array, degree: int = 3) -> Array:
    """`[..., len(knots) - degree - 1]` B-splines: bumps of piecewise polynomials, which add up to 1.

    B_i,0 = [t_i <= x < t_i+1],
    B_i,p = (x - t_i) / (t_i+p - t_i) B_i,p-1 + (t_i+p+1 - x) / (t_i+p+1 - t_i+1) B_i+1,p-1

    Args:
      x: `[...]`; outside of [knots[degree], knots[-degree - 1]] they do not add up to 1, beyond all knots they are 0.
      knots: `[T]` t, not falling; `clamped` makes some.
      degree: p >= 0; 3 has continuous second derivatives.
    Source: de Boor 1978, A Practical Guide to Splines, chapter IX, eq. 14.
    """
    chex.assert_rank(knots, 1)
    t = _aligned(knots, x)
    x = jnp.expand_dims(x, -1)
    # The last span that is not empty holds its right end, too.
    is_last = (t[..., 1:] == t[..., -1:]) & (t[..., :-1] < t[..., 1:])
    basis = ((t[..., :-1] <= x) & ((x < t[..., 1:]) | (is_last & (x == t[..., 1:])))).astype(x.dtype)
    for p in range(1, degree + 1):
        rise = _ratio(x - t[..., : -p - 1], t[..., p:-1] - t[..., : -p - 1])
        fall = _ratio(t[..., p + 1 :] - x, t[..., p + 1 :] - t[..., 1:-p])
        basis = rise * basis[..., :-1] + fall * basis[..., 1:]
    return basis


def clamped(inner: Array, degree: int = 3) -> Array:
    """Knots `[T + 2 degree]` from `inner [T]`: the first and the last as often as a spline needs to end there."""
    return jnp.concatenate([jnp.full(degree, inner[0]), inner, jnp.full(degree, inner[-1])])


def with_one(features: Array) -> Array:
    """Features `[..., M]` and the constant: `[..., M + 1]`; of NumPy's arrays one of NumPy's."""
    array = jnp if isinstance(features, jax.Array) else np
    return array.concatenate([features, array.ones_like(features[..., :1])], -1)


def _aligned(values: Array, x: Array) -> Array:
    """`[M]` with as many leading axes as `x [...]` has."""
    return jnp.reshape(values, (1,) * jnp.ndim(x) + (-1,))


def _scaled(x: Array, centres: Array, width: float) -> Array:
    return (jnp.expand_dims(x, -1) - _aligned(centres, x)) / width


def _ratio(above: Array, below: Array) -> Array:
    """0 where knots coincide: 0 / 0 is 0 here."""
    return jnp.where(below > 0, above / jnp.where(below > 0, below, 1), 0)
