"""Principal components that are learned from one batch after the other, in the memory of the components alone.

    W <- W + rate (x y^T - W upper(y y^T)),   y = W^T (x - mean)

Column i follows Oja's rule on what the columns before it have left: Hebb's growth, and a decay that keeps it a unit.
Sources: Oja 1982, Journal of Mathematical Biology 15; Sanger 1989, Neural Networks 2(6), eq. 8.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.latent.kmeans import weighted
from adl.latent.principal import Components
from adl.prob import moments
from adl.prob.product import matmul


class Hebbian(NamedTuple):
    """What has been learned."""

    mean: Array  # [D] of all points so far
    basis: Array  # [D, Z] W, orthonormal where it rests
    count: Array  # [] points so far
    num_steps: Array  # []


class _Sums(NamedTuple):
    """Of one batch."""

    count: Array  # []
    shift: Array  # [D] sum of x - mean
    growth: Array  # [D, Z] sum of (x - mean) y^T
    gram: Array  # [Z, Z] sum of y y^T


@border.columns(x="float [B, D]", mask="[B]?")
def hebbian(num_components: int, rate: Callable[[Array], Array], *, axis: str | None = None) -> Algorithm:
    """Sanger's generalised Hebbian algorithm; the state is `Hebbian`. With one component it is Oja's rule.

    A batch is `{"x": [B, D]}` with an optional "mask" `[B]`, >= 0: new points at every step, whose updates are
    averaged. Reports the `loss`: the mean of |x - mean|^2 - |y|^2 before the step, in squared units of x.

    Args:
      num_components: Z in [1, D].
      rate: `rate(step []) -> []`, in inverse squared units of x: as optax's schedules. Its product with the largest
        variance must be below 1; where its sum diverges and that of its squares does not, W converges.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, weight = weighted(batch)
        basis, _ = jnp.linalg.qr(jax.random.normal(key, (x.shape[1], num_components)))
        return Hebbian(moments.nothing(x, weight).mean, basis, jnp.zeros(()), jnp.zeros((), jnp.int32))

    def measure(key, state, batch):
        x, weight = weighted(batch)
        away = x - state.mean[None]
        y = matmul(away, state.basis)
        seen = away * weight[:, None]
        sums = _Sums(weight.sum(), seen.sum(0), matmul(seen.T, y), matmul((y * weight[:, None]).T, y))
        return sums, {"loss": Mean.of(jnp.square(away).sum(1) - jnp.square(y).sum(1), weight)}

    def move(state, sums):
        count = state.count + sums.count
        change = sums.growth - matmul(state.basis, jnp.triu(sums.gram))
        basis = state.basis + rate(state.num_steps) / sums.count * change
        return Hebbian(state.mean + sums.shift / count, basis, count, state.num_steps + 1)

    return Algorithm(init, accumulate(measure, move, axis))


def orthonormal(state: Hebbian) -> Components:
    """What a state says the components are, in its plane; their variances it does not know: they are nan."""
    basis, _ = jnp.linalg.qr(state.basis)
    return Components(state.mean, basis, jnp.full(basis.shape[1], jnp.nan), jnp.full((), jnp.nan))
