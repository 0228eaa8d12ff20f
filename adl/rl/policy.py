"""Policies: what a network's numbers say of actions, and the network that also judges where it is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl.core.types import Array, Key
from adl.nn.mlp import MLP
from adl.prob.distributions import categorical_entropy, categorical_log_prob


class Actions(NamedTuple):
    """A family of distributions over actions, each given by the numbers `[..., P]` that a network puts out."""

    sample: Callable[[Key, Array], Array]  # (key, numbers [..., P]) -> action [...]
    log_prob: Callable[[Array, Array], Array]  # (action, numbers) -> [...], in nats
    entropy: Callable[[Array], Array]  # numbers -> [...], in nats
    mode: Callable[[Array], Array]  # numbers -> the likeliest action [...]


categorical = Actions(
    jax.random.categorical, categorical_log_prob, categorical_entropy, lambda logits: jnp.argmax(logits, -1)
)


class ActorCritic(nn.Module):
    """Two multilayer perceptrons side by side: one for the actions, one for the value.

    Orthogonal kernels with gain sqrt(2), 0.01 for the last of the actor, so that the first policy is nearly uniform,
    and 1 for the last of the critic. Source: details 2 and 13 of Huang et al. 2022, "The 37 implementation details of
    proximal policy optimization" (ICLR blog track).

    Attributes:
      num_outputs: P, numbers that the distribution of actions wants: logits of A actions.
      hidden: widths of the hidden layers of each.
      activation: of the hidden layers.
      dtype: of the computation.
    """

    num_outputs: int
    hidden: Sequence[int] = (64, 64)
    activation: Callable[[Array], Array] = nn.tanh
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, obs: Array) -> tuple[Array, Array]:
        """Numbers of the actions' distribution `[..., P]` and value `[...]` of observations `[..., D]`."""

        def network(name: str, size: int, gain: float) -> MLP:
            kernel, output = (nn.initializers.orthogonal(scale) for scale in (2**0.5, gain))
            return MLP((*self.hidden, size), self.activation, 0.0, self.dtype, kernel, output, name=name)

        numbers, value = network("actor", self.num_outputs, 0.01)(obs), network("critic", 1, 1.0)(obs)
        return numbers.astype(jnp.float32), value[..., 0].astype(jnp.float32)
