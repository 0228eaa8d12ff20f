"""How far to go: Newton's step may end where its parabola is no longer what it was taken for.

Where a curve bends more and more, as that of counts does, the whole step from a flat place ends beyond all numbers.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from adl.core.types import Array

SHORT = 1e-2  # a step that moves no argument of the likelihoods by more: along it nothing bends


def halved(slope: Callable[[Array], Array], reach: Array) -> Array:
    """`[]` the share of a step that is taken: the largest of 1, 1/2, 1/4 ... at which it has not gone far too far.

    slope(share) >= -slope(0) / 2,   or   share reach <= 0.01

    By slopes, not by values: near a maximum those of float32 do not differ. A concave objective has its maximum along
    the step between the share that is taken and twice it, or at about the whole step.

    Args:
      slope: `slope(share []) -> []`, the objective's derivative by the share, >= 0 at 0; nan counts as too far.
      reach: `[]` norm of what the whole step adds to the arguments of all likelihoods.
    """
    least = -0.5 * slope(jnp.zeros_like(reach))

    def is_too_far(share):
        return ~(slope(share) >= least) & (share * reach > SHORT)

    return lax.while_loop(is_too_far, lambda share: share / 2, jnp.ones_like(reach))
