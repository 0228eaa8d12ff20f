"""Embeddings of numbers: what a network can tell apart in a single coordinate, at many scales at once.

And the vector that tells a network a noise level and a class, or whatever else is a vector.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax


def turned(x: Array, frequency: np.ndarray) -> Array:
    """`[..., F]` angles in radians that have the sines and cosines of the products of `x` and frequencies.

    In float32 a product of 1e5 is off by .004 and more. So of the whole part of x, n, the turns n w / 2 pi are counted
    in integers of 2^-32, whose overflow drops whole turns and nothing else: right to 1e-6 for |x| < 2^31, else nan.

    Args:
      x: `[...]` float32, or integers.
      frequency: `[F]` float64, in radians a unit of `x`.
    """
    is_whole = jnp.issubdtype(x.dtype, jnp.integer)
    whole = x if is_whole else lax.stop_gradient(jnp.round(x))
    n, turns = whole.astype(jnp.int32), frequency / (2 * np.pi) % 1
    ticks = np.floor(turns * 2.0**32)
    counted = jnp.multiply.outer(n.astype(jnp.uint32), jnp.asarray(ticks, jnp.uint32))
    counted = lax.bitcast_convert_type(counted, jnp.int32).astype(jnp.float32) * 2.0**-32
    rest = jnp.multiply.outer(n.astype(jnp.float32), jnp.asarray(turns - ticks * 2.0**-32, jnp.float32))
    angle = 2 * np.pi * (counted + rest)
    if is_whole:
        return angle
    angle = angle + jnp.multiply.outer(x - whole, jnp.asarray(frequency, jnp.float32))
    return jnp.where((jnp.abs(whole) < 2.0**31)[..., None], angle, jnp.nan)


def sinusoidal(x: Array, dim: int, *, slowest: float = 1e-4, fastest: float = 1.0) -> Array:
    """Cosines and sines of `x` at geometrically spaced frequencies.

    (cos(w_i x), sin(w_i x)),   w_i = fastest * (slowest / fastest)^(i / (dim/2 - 1)),   i = 0 ... dim/2 - 1

    Args:
      x: `[...]` positions, times or log noise levels, in any unit; between -2^31 and 2^31, else nan.
      dim: D, even and >= 4.
      slowest: > 0, lowest frequency in radians a unit of `x`; 2 pi / slowest should exceed the range of `x`.
      fastest: > slowest, highest frequency; 1 / fastest is about the smallest difference that can be seen.
    Returns:
      `[..., D]` in [-1, 1], of Euclidean norm sqrt(dim / 2).
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5 (there slowest 1e-4, fastest 1).
    """
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.integer) else x.astype(jnp.float32)
    angles = turned(x, np.geomspace(fastest, slowest, dim // 2))
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)


def rotary(x: Array, position: Array, *, slowest: float = 1e-4, frequency: Sequence[float] | None = None) -> Array:
    """`x`, its pairs of coordinates turned by angles in proportion to the position.

    (x_i, x_{i + d/2}) turns by position * slowest^(2 i / d),   i = 0 ... d/2 - 1

    The product of two turned vectors depends on the difference of their positions alone.

    Args:
      x: `[..., T, d]` queries or keys, d even.
      position: `[..., T]` of each, broadcastable to the leading axes of `x`; of its rank less one.
      slowest: in (0, 1), of the frequencies, in radians a position; 1 over what others call the base.
      frequency: d/2 frequencies of its own in place of these, radians a position; None: these.
    Source: Su et al. 2021, arXiv:2104.09864, eq. 34; with halves in place of neighbours, as in LLaMA: the same up to
      a permutation of the coordinates.
    """
    half = x.shape[-1] // 2
    angle = turned(position, slowest ** (np.arange(half) / half) if frequency is None else np.asarray(frequency))
    first, second = x[..., :half].astype(jnp.float32), x[..., half:].astype(jnp.float32)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1).astype(x.dtype)


def alibi(query: Array, key: Array, num_heads: int) -> Array:
    """`[..., H, T, S]` biases of attention: each head's scores fall linearly with the distance back.

    bias = -m_h (t - s),   m_h = 2^(-8 h / H),   h = 1 ... H

    If H is not a power of two, the slopes are those of the next lower power, then every other of twice that.

    Args:
      query: `[..., T]` integer positions that ask.
      key: `[..., S]` integer positions that answer.
      num_heads: H >= 1.
    Source: Press et al. 2022, arXiv:2108.12409, section 3 and its code for other numbers of heads.
    """
    power = 2 ** (num_heads.bit_length() - 1)
    slopes = [2 ** (-8 * (h + 1) / power) for h in range(power)]
    slopes += [2 ** (-8 * (h + 0.5) / power) for h in range(num_heads - power)]
    behind = (query[..., :, None] - key[..., None, :]).astype(jnp.float32)
    return -jnp.einsum("h,...ts->...hts", jnp.asarray(slopes, jnp.float32), behind)


class Conditioner(nn.Module):
    """A noise level and a class as one vector, by which the blocks of a `UNet` are scaled and shifted.

    silu(W_2 silu(W_1 sinusoidal(noise) + e_label)),   e = 0 where there are no classes
    """

    num_classes: int  # K; label K stands for "no class given"; of no label it is not asked
    width: int  # even and >= 4; the vector has four times as many entries
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, noise: Array, label: Array | None) -> Array:
        """`[B, 4 width]`.

        Args:
          noise: `[B]` noise level or time on a scale of order 1, as c_noise of a preconditioner.
          label: `[B]` integer class in 0 ... K, K for none; None: of a model that knows no classes.
        """
        dim = 4 * self.width
        told = jnp.zeros((1, dim), self.dtype)
        if label is not None:
            # Entries of unit variance: flax's own would whisper the class beside the noise level.
            of = {"embedding_init": nn.initializers.normal(1.0), "dtype": self.dtype}
            told = nn.Embed(self.num_classes + 1, dim, **of)(label)
        return told_noise(noise, told, dtype=self.dtype)


def told_noise(noise: Array, told: Array, *, dtype: jnp.dtype = jnp.float32) -> Array:
    """`[B, 4 W]` what is told and a noise level in one vector, by two layers of the module that calls it.

    Args:
      noise: `[B]`, as in `Conditioner`.
      told: `[B, 4 W]`, or `[1, 4 W]` of all alike, W even and >= 4; about as large as 1.
      dtype: of the computation.
    """
    dim = told.shape[-1]
    scales = sinusoidal(noise, dim // 4, slowest=0.5, fastest=32.0)
    h = nn.Dense(dim, dtype=dtype)(scales) + told
    return nn.silu(nn.Dense(dim, dtype=dtype)(nn.silu(h)))
