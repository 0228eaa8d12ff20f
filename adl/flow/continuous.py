"""Continuous flows: a velocity that a network says carries data to a standard normal in the time from 0 to 1.

    dx/dt = v(x, t),   log p(x_0) = log N(x_1; 0, I) + integral of div v(x_t, t) dt,   div v = tr dv/dx

Any network will do, and the way back is the same equation backwards. The trace costs D passes; by one of random signs
e, e' (dv/dx) e, it costs one and is right in expectation. The equation is solved by diffrax, with steps that it
chooses: `pip install adl[ode]`.
Sources: Chen et al. 2018, arXiv:1806.07366, eq. 8; Grathwohl et al. 2019, arXiv:1810.01367, eq. 7.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import of_extra
from adl.prob.volume import exact_trace, trace_along


class ODE(nn.Module):
    """A continuous layer of rows `[B, D]`.

    What is inverted is the equation: forwards and backwards differ by the solver's tolerance.

    Source: Grathwohl et al. 2019, arXiv:1810.01367.
    """

    network: nn.Module  # (x [B, D], with the time as a last column [B, D + 1]) -> v [B, D]
    trace: Literal["exact", "hutchinson"] = "exact"  # in training; to look, without a key, it is always exact
    rtol: float = 1e-5  # of the solver
    atol: float = 1e-5  # of the solver, in units of the data
    max_steps: int = 4096  # of the solver, which fails beyond

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        self._velocity(x, jnp.zeros(()))  # makes the parameters where there are none yet
        sign = None
        if self.trace == "hutchinson" and self.has_rng("dropout"):
            sign = jax.random.rademacher(self.make_rng("dropout"), x.shape, x.dtype)
        unbound, variables = self.unbind()  # flax wants a module bound within the loop that calls it

        def slope(t, state, variables):
            velocity = lambda x: unbound.apply(variables, x, t, method="_velocity")  # noqa: E731
            return exact_trace(velocity, state[0]) if sign is None else trace_along(velocity, state[0], sign)

        return self._solved(slope, (x, jnp.zeros(len(x))), variables, 0.0, 1.0)

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        self._velocity(z, jnp.zeros(()))
        unbound, variables = self.unbind()

        def slope(t, x, variables):
            return unbound.apply(variables, x, t, method="_velocity")

        return self._solved(slope, z, variables, 1.0, 0.0)

    def _velocity(self, x: Array, t: Array) -> Array:
        seen = jnp.concatenate([x, jnp.broadcast_to(t, (len(x), 1)).astype(x.dtype)], -1)
        return self.network(seen).astype(x.dtype)

    def _solved(self, slope: Callable, start, variables, begin: float, end: float):
        """The state at `end`, of that at `begin`."""
        diffrax = of_extra("diffrax", "ode", "a continuous flow is solved by diffrax")
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slope),
            diffrax.Dopri5(),
            t0=begin,
            t1=end,
            dt0=None,
            y0=start,
            args=variables,
            stepsize_controller=diffrax.PIDController(rtol=self.rtol, atol=self.atol),
            max_steps=self.max_steps,
        )
        return jax.tree.map(lambda x: x[-1], solution.ys)
