"""Densities to try samplers on, and what is known of them: bent, narrow, of two modes, correlated; a posterior.

Sources: the banana of Haario, Saksman & Tamminen 1999, Computational Statistics 14(3); the funnel of Neal 2003,
Annals of Statistics 31(3), arXiv:physics/0009028, sec. 8.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import BadInput
from adl.core.types import Array
from adl.prob.distributions import normal_log_prob
from adl.sampling.hmc import LogDensity


class Target(NamedTuple):
    """A density, and what is known of it."""

    log_density: LogDensity  # [D] -> [], up to a constant where no more is said
    names: Sequence[str]  # of the D coordinates
    mean: np.ndarray | None = None  # [D], where it is known
    std: np.ndarray | None = None  # [D]
    standard_error: np.ndarray | float = 0.0  # [D] of that mean
    plane: Callable[[Array], Array] | None = None  # log-density of the first two coordinates, [2] -> []


def banana(bend: float = 0.5, std: float = 2.0) -> Target:
    """x_0 ~ N(0, std^2), x_1 | x_0 ~ N(bend x_0^2, 1), normalised."""

    def log_density(x):
        return normal_log_prob(x[0], 0.0, jnp.log(std)) + normal_log_prob(x[1], bend * x[0] ** 2, 0.0)

    # A normal number's fourth moment is three squares of its variance.
    mean, spread = np.array([0, bend * std**2]), np.array([std, math.sqrt(1 + 2 * bend**2 * std**4)])
    return Target(log_density, ["x0", "x1"], mean, spread, plane=log_density)


def funnel(std: float, dim: int = 2) -> Target:
    """v ~ N(0, std^2), and dim - 1 others x_i | v ~ N(0, exp(v)), normalised: a wide mouth and a narrow neck.

    At 3 deviations the mouth is exp(1.5 std) wide, and the neck as narrow as that is wide: Neal's has std 3 and dim 10.
    """

    def log_density(x):
        return normal_log_prob(x[0], 0.0, jnp.log(std)) + normal_log_prob(x[1:], 0.0, 0.5 * x[0]).sum()

    spread = np.array([std, *[math.exp(std**2 / 4)] * (dim - 1)])
    names = ["v", *(f"x{i}" for i in range(1, dim))]
    return Target(log_density, names, np.zeros(dim), spread, plane=log_density)


def two_modes(weight: float = 0.3, place: float = 5.0) -> Target:
    """weight N((-place, 0), I) + (1 - weight) N((place, 0), I), normalised; between them it falls by exp(place^2/2)."""

    def log_density(x):
        left, right = (normal_log_prob(x[0], mean, 0.0) for mean in (-place, place))
        along = jnp.logaddexp(jnp.log(weight) + left, jnp.log(1 - weight) + right)
        return along + normal_log_prob(x[1], 0.0, 0.0)

    spread = np.array([math.sqrt(1 + 4 * weight * (1 - weight) * place**2), 1.0])
    mean = np.array([(1 - 2 * weight) * place, 0.0])
    return Target(log_density, ["x0", "x1"], mean, spread, plane=log_density)


def correlated(dim: int = 20, correlation: float = 0.9) -> Target:
    """N(0, C), C_ij = s_i s_j correlation^|i - j|, standard deviations s from 0.1 to 10, of neighbours far apart."""
    place = np.arange(dim)
    std = np.logspace(-1, 1, dim)[np.argsort(place % 2, kind="stable")]
    covariance = np.outer(std, std) * correlation ** abs(place[:, None] - place)
    precision, first = (np.linalg.inv(part).astype(np.float32) for part in (covariance, covariance[:2, :2]))

    def normal(precision):
        return lambda x: -0.5 * x @ jnp.asarray(precision, x.dtype) @ x

    return Target(normal(precision), [f"x{i}" for i in place], np.zeros(dim), std, plane=normal(first))


def logistic(x: np.ndarray, label: np.ndarray, names: Sequence[str]) -> Target:
    """Posterior of a logistic regression: label ~ Bernoulli(sigmoid(w_0 + w' x)), every weight ~ N(0, 1).

    Args:
      x: `[N, D - 1]`, standardised.
      label: `[N]` of 0 and 1.
      names: D - 1, of the columns.
    Raises:
      BadInput: for labels of another number of classes.
    """
    classes = np.unique(label)
    if not np.isin(classes, [0, 1]).all():
        raise BadInput(f"logistic regression is of two classes, 0 and 1, not of {len(classes)}")
    design = np.column_stack([np.ones(len(x)), x]).astype(np.float32)
    signs = (2.0 * label - 1).astype(np.float32)

    def log_density(w):
        logits = jnp.asarray(signs[:, None] * design, w.dtype) @ w
        return jax.nn.log_sigmoid(logits.astype(jnp.float32)).sum() - 0.5 * (w**2).sum()

    return Target(log_density, ["intercept", *names])


def isotropic(std: float, dim: int = 2) -> Target:
    """N(0, std^2 I), normalised: the wide and easy density that tempering and annealing begin from."""

    def log_density(x):
        return normal_log_prob(x, 0.0, jnp.log(std)).sum()

    names = [f"x{i}" for i in range(dim)]
    return Target(log_density, names, np.zeros(dim), np.full(dim, std), plane=log_density)


PLANE = {"banana": banana(), "funnel": funnel(1.5), "modes": two_modes()}  # normalised
WINDOWS = {  # of both coordinates, that a figure should show
    "banana": ((-8.5, 8.5), (-4.0, 14.0)),
    "funnel": ((-8.5, 8.5), (-7.0, 7.0)),
    "modes": ((-8.5, 8.5), (-4.5, 4.5)),
}


def heights(name: str, num: int = 160) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places `[G]` and `[G]` along the window of one of `PLANE`, and its log-density `[G, G]` there."""
    x, y = (np.linspace(*ends, num, dtype=np.float32) for ends in WINDOWS[name])
    return x, y, np.asarray(jax.vmap(jax.vmap(PLANE[name].log_density))(jnp.stack(jnp.meshgrid(x, y), -1)))


def rounded(log_density: LogDensity, precision: str) -> LogDensity:
    """The log-density, computed in a precision: "float32" or "bfloat16"; what comes back is float32."""
    dtype = jnp.dtype(precision)
    return lambda x: log_density(x.astype(dtype)).astype(jnp.float32)


def one_of(log_densities: Sequence[LogDensity], which: Array) -> LogDensity:
    """The log-density of number `which` `[]`, of which the others are not computed unless `which` is mapped over."""
    return lambda x: lax.switch(which, log_densities, x)
