"""Processes: how data become noise as time passes.

    x_t = alpha_t x + sigma_t n,   n ~ N(0, I)

Over alpha_t, each is data plus sigma_t / alpha_t noise: a solver needs no more than this ratio of any of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.core import BadInput


class Signal(NamedTuple):
    """What is left and what was added at a time `[...]`, each of the same shape."""

    alpha: Array  # >= 0, factor of the data
    sigma: Array  # >= 0, standard deviation of the noise

    def like(self, x: Array) -> "Signal":
        """Of the times `[B]`, or of one, both widened to the rank of `x [B, ...]`."""
        return Signal(*(factor.reshape(-1, *[1] * (x.ndim - 1)) for factor in self))


class Process(NamedTuple):
    """A way from data to noise."""

    signal: Callable[[Array], Signal]  # of the time [...]
    time: Callable[[Array], Array]  # at which sigma / alpha is [...]: the inverse of the former


exploding = Process(lambda t: Signal(jnp.ones_like(t), t), lambda ratio: ratio)
"""alpha = 1, sigma = t: the time is the noise level. Source: Karras et al. 2022, arXiv:2206.00364."""

straight = Process(lambda t: Signal(1 - t, t), lambda ratio: ratio / (1 + ratio))
"""alpha = 1 - t, sigma = t for t in [0, 1]: rectified flow. Source: Liu et al. 2023, arXiv:2209.03003, eq. 1."""

cosine = Process(
    lambda t: Signal(jnp.cos(jnp.pi / 2 * t), jnp.sin(jnp.pi / 2 * t)), lambda ratio: 2 / jnp.pi * jnp.arctan(ratio)
)
"""alpha = cos(pi t / 2), sigma = sin(pi t / 2) for t in [0, 1].

Source: Salimans & Ho 2022, arXiv:2202.00512, section 2; Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17 without s.
"""

log_ratio = Process(
    lambda t: Signal(jnp.exp(jax.nn.log_sigmoid(-t) / 2), jnp.exp(jax.nn.log_sigmoid(t) / 2)),
    lambda ratio: 2 * jnp.log(ratio),
)
"""alpha^2 = 1 - sigma^2, and the time is log sigma^2 / alpha^2 itself, so that any schedule is one of it.

Source: Kingma et al. 2021, arXiv:2107.00630, eq. 3.
"""


def preserving(*, beta_min: float = 0.1, beta_max: float = 20.0) -> Process:
    """The stochastic equation dx = -beta_t x / 2 dt + sqrt(beta_t) dw, which keeps the variance of data that have 1.

    alpha_t^2 = exp(-b_t),   sigma_t^2 = 1 - alpha_t^2,   b_t = beta_min t + (beta_max - beta_min) t^2 / 2

    for t in [0, 1].

    Args:
      beta_min: > 0, how fast noise comes in at time 0.
      beta_max: > beta_min, at time 1.
    Raises:
      BadInput: of rates that do not rise.
    Source: Song et al. 2021, arXiv:2011.13456, eq. 11, 32 and 33.
    """
    if not 0 < beta_min < beta_max:
        raise BadInput(f"beta_min is {beta_min:g} and beta_max {beta_max:g}; it must be 0 < beta_min < beta_max")
    rise = beta_max - beta_min

    def signal(t):
        kept = -(beta_min * t + rise * t**2 / 2)
        return Signal(jnp.exp(kept / 2), jnp.sqrt(-jnp.expm1(kept)))

    def time(ratio):
        b = jnp.log1p(ratio**2)
        return 2 * b / (beta_min + jnp.sqrt(beta_min**2 + 2 * rise * b))  # the root that does not cancel

    return Process(signal, time)


def discrete(num_steps: int = 1000, *, beta_min: float = 1e-4, beta_max: float = 0.02) -> Process:
    """DDPM's chain of small steps, each of which adds more noise than the last; between them it is interpolated.

    alpha_t^2 = prod_{s <= t T} (1 - beta_s),   sigma_t^2 = 1 - alpha_t^2,   beta from beta_min to beta_max evenly

    Args:
      num_steps: T >= 2; the times are 1/T, 2/T, ..., 1.
      beta_min: in (0, 1), variance that the first step adds.
      beta_max: in (0, 1), that the last adds.
    Source: Ho et al. 2020, arXiv:2006.11239, eq. 4 and section 4.
    """
    return chain(jnp.linspace(beta_min, beta_max, num_steps))


def discrete_cosine(num_steps: int = 1000, *, offset: float = 0.008, beta_max: float = 0.999) -> Process:
    """DDPM's chain whose noise follows a cosine, so that the data do not vanish long before the end.

    beta_i = min(1 - f(i / T) / f((i - 1) / T), beta_max),   f(t) = cos(pi / 2 (t + s) / (1 + s))^2

    Args:
      num_steps: T >= 2; the times are 1/T, 2/T, ..., 1.
      offset: s > 0, by which the first steps are not too small.
      beta_max: in (0, 1), that no step's variance passes.
    Source: Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17 and section 3.2.
    """
    log_kept = 2 * np.log(np.cos(np.pi / 2 * (np.arange(num_steps + 1) / num_steps + offset) / (1 + offset)))
    return chain(jnp.asarray(np.minimum(-np.expm1(np.diff(log_kept)), beta_max), jnp.float32))


def chain(beta: Array) -> Process:
    """A chain of steps of these variances; between them the logarithm of what is kept is interpolated.

    Args:
      beta: `[T]` in (0, 1), variance that each step adds, T >= 2; the times are 1/T, 2/T, ..., 1.
    Raises:
      BadInput: of a chain of no steps, or one.
    Source: Ho et al. 2020, arXiv:2006.11239, eq. 4.
    """
    if len(beta) < 2:
        raise BadInput(f"a chain of {len(beta)} steps of noise; at least 2")
    times = jnp.arange(1, len(beta) + 1) / len(beta)
    log_alpha = jnp.cumsum(jnp.log1p(-beta)) / 2
    log_ratio = jnp.log(-jnp.expm1(2 * log_alpha)) / 2 - log_alpha

    def signal(t):
        kept = jnp.interp(t, times, log_alpha)
        return Signal(jnp.exp(kept), jnp.sqrt(-jnp.expm1(2 * kept)))

    return Process(signal, lambda ratio: jnp.interp(jnp.log(ratio), log_ratio, times))
