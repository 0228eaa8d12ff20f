"""Long sums in single precision: what is lost at each addition is kept, and added at the end.

    s = fl(a + b),   a + b = s + e exactly,   e = (a - (s - d)) + (b - d),   d = fl(s - a)

Source: Knuth 1997, The Art of Computer Programming 2, section 4.2.2, theorem B; in a tree as in Ogita, Rump & Oishi
2005, SIAM Journal on Scientific Computing 26(6).
"""

import jax.numpy as jnp

from adl.core.types import Array


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b `[...]`, and what that lacks; where the sum is not finite it lacks nothing."""
    value = a + b
    part = value - a
    lost = (a - (value - part)) + (b - part)
    return value, jnp.where(jnp.isfinite(value), lost, 0)


def total(x: Array) -> Array:
    """`[...]` sum of `x` `[T, ...]` along the first axis, to about a rounding of itself, however long."""
    lost = jnp.zeros_like(x)
    while len(x) > 1:
        half = len(x) // 2
        rest = x[2 * half :], lost[2 * half :]
        value, slip = two_sum(x[:half], x[half : 2 * half])
        lost = lost[:half] + lost[half : 2 * half] + slip
        x, lost = (jnp.concatenate([new, old]) for new, old in zip((value, lost), rest, strict=True))
    return (x + lost).sum(0)
