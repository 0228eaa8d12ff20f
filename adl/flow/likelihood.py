"""Flows by maximum likelihood: a chain of invertible layers carries data to a standard normal.

    log p(x) = log N(z; 0, I) + log |det dz/dx|,   z = f(x)

A layer is a flax module with `forward(x) -> (z, log_det)` and `inverse(z) -> x`, of examples `[B, ...]`; z is of the
shape of x, `log_det` `[B]` in nats. `Flow` chains layers and is one; `Inverted` turns one round; `Fixed` makes one of a
bijector that has nothing to learn.
Source: Dinh et al. 2015, arXiv:1410.8516, eq. 1; Papamakarios et al. 2021, arXiv:1912.02762, section 2.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Key, Mean, PyTree, learning
from adl.prob.bijector import Affine, Bijector, Composed, Inverse, Sigmoid
from adl.prob.distributions import normal_log_prob


class FlowLayer(Protocol):
    """What can be chained: a flax module that is an invertible map of examples."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        """z `[B, ...]` of `x [B, ...]`, and log |det dz/dx| `[B]`."""
        ...

    def inverse(self, z: Array) -> Array:
        """x `[B, ...]` of `z [B, ...]`."""
        ...


class Flow(nn.Module):
    """Layers one after the other: a layer itself, and with a standard normal z the density of x."""

    layers: Sequence[nn.Module]  # the first is nearest to the data

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        log_det = jnp.zeros(len(x))
        for layer in self.layers:
            x, change = layer.forward(x)
            log_det += change
        return x, log_det

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        for layer in reversed(self.layers):
            z = layer.inverse(z)
        return z

    def log_prob(self, x: Array) -> Array:
        """`[B]` log-density of `x [B, ...]`, in nats an example."""
        return log_density(*self.forward(x))

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """`forward`, by which parameters are made: layers may look at the first batch."""
        return self.forward(x)


class Inverted(nn.Module):
    """A layer turned round: its `forward` is the other's `inverse`.

    What is fast in one direction and slow in the other is so the other way: of MAF it makes IAF.
    """

    layer: nn.Module

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        z = self.layer.inverse(x)
        return z, -self.layer.forward(z)[1]

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        return self.layer.forward(z)[0]


class Fixed(nn.Module):
    """A bijector of `prob` as a layer: an affine map, a logit."""

    bijector: Bijector  # of one example

    def forward(self, x: Array) -> tuple[Array, Array]:
        """As of any layer."""
        return jax.vmap(self.bijector.forward_and_log_det)(x)

    def inverse(self, z: Array) -> Array:
        """As of any layer."""
        return jax.vmap(self.bijector.inverse_and_log_det)(z)[0]


def logit(alpha: float = 0.05) -> Fixed:
    """The layer that carries numbers in [0, 1) to the whole line: z = logit(alpha + (1 - 2 alpha) x).

    Args:
      alpha: in (0, 1/2), how far from 0 and 1 the ends are kept.
    Source: Dinh et al. 2017, arXiv:1605.08803, section 4.1.
    """
    if not 0 < alpha < 0.5:
        raise BadInput(f"alpha is {alpha}; it must be in (0, 0.5)")
    return Fixed(Composed((Affine(alpha, float(np.log(1 - 2 * alpha))), Inverse(Sigmoid()))))


def log_density(z: Array, log_det: Array) -> Array:
    """`[B]` log-density of the data that a flow carries to `z [B, ...]` with `log_det [B]`, in nats an example."""
    z = z.reshape(len(z), -1).astype(jnp.float32)
    return normal_log_prob(z, jnp.zeros_like(z), jnp.zeros_like(z)).sum(-1) + log_det


def flow(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of any flow; the state is a `Learner`, the loss -log p(x) in nats an example.

    Args:
      model: `x [B, ...] -> (z, log_det [B])`: a `Flow`. Its layers may set themselves by the first batch.
      tx: optax transformation; end its chain with `core.average_params` to judge and draw by averaged parameters.
      prepare: `prepare(key, batch) -> x [B, ...]` float: grey levels are spread over their width here, anew each time.
      axis: as in `core.descend`.
    Source: Dinh et al. 2015, arXiv:1410.8516, eq. 1.
    """

    def loss(output, _):
        return {"loss": Mean.of(-log_density(*output))}

    def pairs(key, batch):
        return prepare(key, batch), None

    return learning(model, tx, loss=loss, prepare=pairs, axis=axis, x="float [B, ...]")


def drawn_from(
    model: nn.Module, variables: PyTree, key: Key, shape: Sequence[int], *, temperature: float = 1.0
) -> Array:
    """`[B, ...]` samples, by the way back from a standard normal.

    Args:
      model: the flow.
      variables: its flax collections.
      key: consumed.
      shape: `(B, ...)`.
      temperature: >= 0, standard deviation of z; below 1 samples are likelier and less varied.
    Source: of the temperature, Kingma & Dhariwal 2018, arXiv:1807.03039, section 6.
    """
    return model.apply(variables, temperature * jax.random.normal(key, tuple(shape)), method="inverse")
