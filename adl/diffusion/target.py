"""Targets: what a network is asked for, and what a denoiser makes of its answer F.

Each is a truth about x_t = alpha x + sigma n; all lead to an estimate of x, so that a solver cannot tell them apart.
Factors are `[B]` widened to the rank of the pictures.
"""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array

from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.process import Signal


class Aim(NamedTuple):
    """What a network is asked for.

    `seen` may scale what goes into the network, and says how the time is told it.
    """

    error: Callable[[Array, Array, Array, Signal], Array]  # (F, x, n, signal) -> of F, like x
    clean: Callable[[Array, Array, Signal], Array]  # (F, x_t, signal) -> x
    seen: Callable[[Array, Array, Signal], tuple[Array, Array]] = lambda noisy, t, signal: (noisy, t)


data = Aim(lambda output, x, n, signal: output - x, lambda output, noisy, signal: output)
"""F = x."""

noise = Aim(
    lambda output, x, n, signal: output - n,
    lambda output, noisy, signal: (noisy - signal.sigma * output) / signal.alpha,
)
"""F = n. Source: Ho et al. 2020, arXiv:2006.11239, eq. 14."""

angular = Aim(
    lambda output, x, n, signal: output - (signal.alpha * n - signal.sigma * x),
    lambda output, noisy, signal: signal.alpha * noisy - signal.sigma * output,
)
"""F = v = alpha n - sigma x, where alpha^2 + sigma^2 = 1. Source: Salimans & Ho 2022, arXiv:2202.00512, section 4."""

velocity = Aim(
    lambda output, x, n, signal: output - (n - x),
    lambda output, noisy, signal: (noisy - signal.sigma * output) / (signal.alpha + signal.sigma),
)
"""F = n - x, dx_t/dt of the process `straight`: flow matching.

Sources: Lipman et al. 2023, arXiv:2210.02747, eq. 23 (there time runs from noise to data); Liu et al. 2023,
arXiv:2209.03003, eq. 1.
"""


def preconditioned(preconditioner: Preconditioner) -> Aim:
    """F = (x - c_skip x_t) / c_out, of c_in x_t and c_noise, where alpha = 1.

    Args:
      preconditioner: the four factors at a noise level.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 7 and 8 with lambda = 1 / c_out^2.
    """

    def clean(output, noisy, signal):
        c = preconditioner(signal.sigma)
        return c.skip * noisy + c.out * output

    def error(output, x, n, signal):
        return (clean(output, x + signal.sigma * n, signal) - x) / preconditioner(signal.sigma).out

    def seen(noisy, t, signal):
        return preconditioner(signal.sigma).scale * noisy, preconditioner(t).noise

    return Aim(error, clean, seen)
