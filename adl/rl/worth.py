"""What a network's numbers say actions are worth, and how far that is from what came of them.

Q-learning moves Q(s, a) towards r + discount max_a' Q(s', a'). The number may be an expectation, or a whole
distribution of returns whose mean it is; to the agent the two differ in this file only.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from adl.core.types import Array
from adl.prob import product


class Worth(NamedTuple):
    """How numbers `[..., A, ...]` of A actions are read and learned."""

    value: Callable[[Array], Array]  # numbers -> Q [..., A]
    # (numbers of B actions, reward [B], discount [B], numbers of those that follow) -> (loss [B], surprise [B] >= 0)
    loss: Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def _by_number(error: Callable[[Array], Array]) -> Worth:
    """One number an action, `[..., A]`: its expected return."""

    def loss(numbers, reward, discount, following):
        chex.assert_equal_shape([numbers, reward, discount, following])
        off = numbers - (reward + discount * following)
        return error(off), jnp.abs(off)

    return Worth(lambda numbers: numbers, loss)


# Squares of the temporal-difference error: the numbers go to the mean of the return.
expected = _by_number(lambda error: jnp.square(error) / 2)

# Huber's loss, whose gradient is the error clipped to [-1, 1]: what is rare and far off moves it little, so that in the
# end it is nearer to the median. It wants rewards in [-1, 1] and errors below 1; on CartPole, where one move in many
# ends an episode and thereby costs all that is left, the numbers diverge by it.
# Source: Mnih et al. 2015, Nature 518, methods.
clipped = _by_number(optax.huber_loss)


def by_atoms(low: float, high: float, num_atoms: int) -> Worth:
    """Logits `[..., A, K]` of the return's distribution on K places between two bounds: C51.

    The loss is the cross entropy with the distribution of r + discount Z', put onto the places (`projected`); the
    surprise is the divergence, which is 0 where nothing is to be learned.

    Args:
      low: in units of the return.
      high: above low.
      num_atoms: K >= 2.
    Source: Bellemare, Dabney & Munos 2017, arXiv:1707.06887, algorithm 1.
    """
    atoms = jnp.linspace(low, high, num_atoms)

    def loss(numbers, reward, discount, following):
        chex.assert_equal_shape([numbers, following])
        target = projected(jax.nn.softmax(following), reward[:, None] + discount[:, None] * atoms[None], atoms)
        entropy = -jax.scipy.special.xlogy(target, target).sum(-1)
        cross = -(target * jax.nn.log_softmax(numbers)).sum(-1)
        return cross, jnp.maximum(cross - entropy, 0)

    return Worth(lambda numbers: product.matmul(jax.nn.softmax(numbers), atoms), loss)


def projected(probabilities: Array, places: Array, atoms: Array) -> Array:
    """`[..., K]` the same mass on atoms: what lies between two of them is shared by how near it is.

    Args:
      probabilities: `[..., J]`.
      places: `[..., J]` of them; what is beyond the atoms goes to the outermost.
      atoms: `[K]`, equally spaced, rising.
    Source: Bellemare, Dabney & Munos 2017, arXiv:1707.06887, eq. 7.
    """
    spacing, inside = atoms[1] - atoms[0], jnp.clip(places, atoms[0], atoms[-1])

    def mass(atom):
        return (jnp.clip(1 - jnp.abs(inside - atom) / spacing, 0, 1) * probabilities).sum(-1)

    return jax.vmap(mass, out_axes=-1)(atoms)
