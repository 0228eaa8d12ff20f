"""Neural spline flows: each number is moved by a rising curve of many pieces, which a network bends.

The same move serves couplings (RQ-NSF C) and autoregressive layers (RQ-NSF AR).
Source: Durkan et al. 2019, arXiv:1906.04032.
"""

import functools

from adl.core import BadInput
from adl.flow.coupling import Move
from adl.prob.spline import rational_spline


def spline_move(num_bins: int = 8, bound: float = 4.0) -> Move:
    """A rational-quadratic spline over [-bound, bound]; outside, the identity.

    Args:
      num_bins: K >= 1, pieces.
      bound: > 0; the data should lie within.
    Raises:
      BadInput: of no pieces, or no interval.
    Source: Durkan et al. 2019, arXiv:1906.04032, section 3.1.
    """
    if num_bins < 1 or bound <= 0:
        raise BadInput(
            f"a spline of {num_bins} pieces over [-{bound:g}, {bound:g}]; at least 1, over more than nothing"
        )
    return Move(3 * num_bins - 1, functools.partial(rational_spline, bound=bound))
