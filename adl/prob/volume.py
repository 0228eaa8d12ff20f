"""How fast a velocity changes volume: its divergence, the trace of its Jacobian, exact or along one direction.

    div v(x) = tr dv/dx = E e' (dv/dx) e   of e with E e e' = I: signs at random have the least variance

Source: Hutchinson 1990, Commun. Stat. Simul. Comput. 19(2); Grathwohl et al. 2019, arXiv:1810.01367, eq. 7.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array

AT_ONCE = 8  # directions that are pushed together


def exact_trace(field: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """v `[B, ...]` of `x [B, ...]`, and its divergence `[B]`: a pass for each number of an example.

    Args:
      field: v, `[B, ...] -> [B, ...]`, each example by itself.
      x: float.
    """
    size = x[0].size
    v, push = jax.linearize(field, x)

    def along(d):
        unit = jnp.zeros((len(x), size), x.dtype).at[:, d].set(1)
        return push(unit.reshape(x.shape)).reshape(len(x), size)[:, d]

    return v, lax.map(along, jnp.arange(size), batch_size=min(size, AT_ONCE)).sum(0)


def trace_along(field: Callable[[Array], Array], x: Array, direction: Array) -> tuple[Array, Array]:
    """v `[B, ...]` of `x [B, ...]`, and e' (dv/dx) e `[B]`: one pass.

    Args:
      field: as in `exact_trace`.
      x: as in `exact_trace`.
      direction: e `[B, ...]`.
    """
    v, pushed = jax.jvp(field, (x,), (direction,))
    return v, (direction * pushed).reshape(len(x), -1).sum(-1)
