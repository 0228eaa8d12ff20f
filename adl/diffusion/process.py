"""Processes: how data become noise as time passes.

    x_t = alpha_t x + sigma_t n,   n ~ N(0, I)

Over alpha_t, each is data plus sigma_t / alpha_t noise: a solver needs no more than this ratio of any of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Signal(NamedTuple):
    """What is left and what was added at a time `[...]`, each of the same shape."""

    alpha: Array  # >= 0, factor of the data
    sigma: Array  # >= 0, standard deviation of the noise


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


def discrete(num_steps: int = 1000, *, beta_min: float = 1e-4, beta_max: float = 0.02) -> Process:
    """DDPM's chain of small steps, each of which adds more noise than the last; between them it is interpolated.

    alpha_t^2 = prod_{s <= t T} (1 - beta_s),   sigma_t^2 = 1 - alpha_t^2,   beta from beta_min to beta_max evenly

    Args:
      num_steps: T >= 2; the times are 1/T, 2/T, ..., 1.
      beta_min: in (0, 1), variance that the first step adds.
      beta_max: in (0, 1), that the last adds.
    Source: Ho et al. 2020, arXiv:2006.11239, eq. 4 and section 4.
    """
    times = jnp.arange(1, num_steps + 1) / num_steps
    log_alpha = jnp.cumsum(jnp.log1p(-jnp.linspace(beta_min, beta_max, num_steps))) / 2
    log_ratio = jnp.log(-jnp.expm1(2 * log_alpha)) / 2 - log_alpha

    def signal(t):
        kept = jnp.interp(t, times, log_alpha)
        return Signal(jnp.exp(kept), jnp.sqrt(-jnp.expm1(2 * kept)))

    return Process(signal, lambda ratio: jnp.interp(jnp.log(ratio), log_ratio, times))
