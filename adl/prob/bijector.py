"""A small algebra of invertible maps, each with the log-determinant of its Jacobian.

A bijector is a NamedTuple of its parameters with two methods, on one example:

    forward_and_log_det(x) -> y, log |det dy/dx|        inverse_and_log_det(y) -> x, log |det dx/dy|

`Composed` composes, `Inverse` turns round, `Transformed` is the distribution of y where x has one. The log-determinant
is `[]`: of all entries of the example together. Source: Papamakarios et al. 2021, arXiv:1912.02762, section 2.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from adl.core.types import Array, Key, PyTree
from adl.prob.product import matmul


class Bijector(Protocol):
    """What can be chained: any invertible map."""

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """y, and log |det dy/dx| `[]`."""
        ...

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """x, and log |det dx/dy| `[]`."""
        ...


class Affine(NamedTuple):
    """y = shift + exp(log_scale) x, elementwise."""

    shift: Array  # [] or as x
    log_scale: Array  # [] or as x

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return self.shift + jnp.exp(self.log_scale) * x, jnp.broadcast_to(self.log_scale, x.shape).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return (y - self.shift) * jnp.exp(-self.log_scale), -jnp.broadcast_to(self.log_scale, y.shape).sum()


class Triangular(NamedTuple):
    """y = matrix x of `x [D]`, by a lower triangle with positive diagonal."""

    matrix: Array  # [D, D]; what is above the diagonal is not looked at

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        y = matmul(jnp.tril(self.matrix), x)
        return y, jnp.log(jnp.diagonal(self.matrix)).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return solve_triangular(self.matrix, y, lower=True), -jnp.log(jnp.diagonal(self.matrix)).sum()


class Permute(NamedTuple):
    """y = x[order] of `x [D]`."""

    order: Array  # [D] integers, a permutation of 0 ... D - 1

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return x[self.order], jnp.zeros((), x.dtype)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jnp.zeros_like(y).at[self.order].set(y), jnp.zeros((), y.dtype)


class Exp(NamedTuple):
    """y = exp(x) > 0, elementwise."""

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jnp.exp(x), x.sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        x = jnp.log(y)
        return x, -x.sum()


class Softplus(NamedTuple):
    """y = log(1 + exp(x)) > 0, elementwise: about x where x is large."""

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jax.nn.softplus(x), jax.nn.log_sigmoid(x).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        x = y + jnp.log(-jnp.expm1(-y))
        return x, -jax.nn.log_sigmoid(x).sum()


class Sigmoid(NamedTuple):
    """y = 1 / (1 + exp(-x)) in (0, 1), elementwise."""

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jax.nn.sigmoid(x), (jax.nn.log_sigmoid(x) + jax.nn.log_sigmoid(-x)).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jnp.log(y) - jnp.log1p(-y), -(jnp.log(y) + jnp.log1p(-y)).sum()


class Tanh(NamedTuple):
    """y = tanh(x) in (-1, 1), elementwise."""

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        # 1 - tanh^2 = 4 sigmoid(2 x) sigmoid(-2 x): finite at any x
        return jnp.tanh(x), (2 * jnp.log(2.0) + jax.nn.log_sigmoid(2 * x) + jax.nn.log_sigmoid(-2 * x)).sum()

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return jnp.arctanh(y), -(jnp.log1p(y) + jnp.log1p(-y)).sum()


class Inverse(NamedTuple):
    """The same map, the other way."""

    bijector: PyTree

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return self.bijector.inverse_and_log_det(x)

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return self.bijector.forward_and_log_det(y)


class Composed(NamedTuple):
    """One map after the other, the first one first."""

    bijectors: tuple[PyTree, ...]

    def forward_and_log_det(self, x: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        log_det = jnp.zeros((), x.dtype)
        for bijector in self.bijectors:
            x, change = bijector.forward_and_log_det(x)
            log_det += change
        return x, log_det

    def inverse_and_log_det(self, y: Array) -> tuple[Array, Array]:
        """As in `Bijector`."""
        return Composed(tuple(Inverse(bijector) for bijector in reversed(self.bijectors))).forward_and_log_det(y)


class Transformed(NamedTuple):
    """The distribution of y = bijector(x), where x is of another: log p(y) = log p(x) + log |det dx/dy|."""

    base: PyTree  # a distribution of x, or of each of its entries
    bijector: PyTree

    def log_prob(self, y: Array) -> Array:
        """`[]` log-density of one example."""
        x, log_det = self.bijector.inverse_and_log_det(y)
        return self.base.log_prob(x).sum() + log_det

    def sample(self, key: Key, shape: tuple[int, ...] = (), *, example: tuple[int, ...] = ()) -> Array:
        """`[*shape, ...]` draws.

        Args:
          key: consumed.
          shape: of the draws.
          example: shape of an example, where the base is of each of its entries.
        """
        size = 1
        for length in shape:
            size *= length
        x = jax.vmap(lambda key: self.base.sample(key, example))(jax.random.split(key, size))
        y = jax.vmap(lambda x: self.bijector.forward_and_log_det(x)[0])(x)
        return y.reshape(*shape, *y.shape[1:])
