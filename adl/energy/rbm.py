"""The restricted Boltzmann machine: binary pixels and binary hidden units, with bonds between the layers only.

    E(v, h) = -b . v - c . h - v W h,   F(v) = -log sum_h exp(-E(v, h)) = -b . v - sum_j softplus(c_j + (v W)_j)

Given one layer the units of the other are independent, so that Gibbs chains move a layer at a time. F is an energy as
any: `contrastive_divergence` and `persistent_contrastive_divergence` learn it, with `block_gibbs` for their sampler.
Its partition function is a sum over the states of the smaller layer, or of large machines an estimate by annealing.

Sources: Smolensky 1986, Parallel Distributed Processing 1, chapter 6; Hinton 2002, Neural Computation 14(8);
Salakhutdinov & Murray 2008 (ICML), for annealing.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, BadInput
from adl.core.types import Array, Key, PyTree
from adl.energy.contrastive_divergence import Kernel, Points
from adl.prob.product import matmul
from adl.sampling.annealed import annealed_importance
from adl.sampling.gibbs import two_layers

ENUMERATED = 20  # units of the smaller layer, of which all states are summed
CHUNK = 2**12  # of these, at a time


class RBM(nn.Module):
    """F(v) `[B]` in nats of `v [B, D]` in {0, 1}."""

    num_hidden: int  # H >= 1
    std: float = 0.01  # of the bonds at the start

    @nn.compact
    def __call__(self, v: Array) -> Array:
        """`[B]` free energies."""
        weight, visible, hidden = self._bonds(v.shape[-1])
        return -matmul(v, visible) - jax.nn.softplus(matmul(v, weight) + hidden[None]).sum(-1)

    def _bonds(self, num_visible: int) -> tuple[Array, Array, Array]:
        weight = self.param("weight", nn.initializers.normal(self.std), (num_visible, self.num_hidden))
        visible = self.param("visible", nn.initializers.zeros, (num_visible,))
        return weight, visible, self.param("hidden", nn.initializers.zeros, (self.num_hidden,))


def hidden_logits(params: PyTree, v: Array) -> Array:
    """`[..., H]` log-odds of the hidden units given `v [..., D]`."""
    odds = matmul(v, params["weight"])
    return odds + jnp.broadcast_to(params["hidden"], odds.shape)


def visible_logits(params: PyTree, h: Array) -> Array:
    """`[..., D]` log-odds of the visible units given `h [..., H]`."""
    odds = matmul(h, params["weight"].T)
    return odds + jnp.broadcast_to(params["visible"], odds.shape)


def block_gibbs(num_steps: int) -> Kernel:
    """Chains by layers: hidden units given the visible, then visible units given the hidden, so many times.

    From the data they are CD-k.

    Args:
      num_steps: k >= 1.
    """

    def walk(key: Key, model: nn.Module, variables: PyTree, starts: Points) -> Array:
        params = variables["params"]

        def move(v, key):
            hidden_key, visible_key = jax.random.split(key)
            h = jax.random.bernoulli(hidden_key, jax.nn.sigmoid(hidden_logits(params, v))).astype(v.dtype)
            return jax.random.bernoulli(visible_key, jax.nn.sigmoid(visible_logits(params, h))).astype(v.dtype), None

        return lax.scan(move, starts.x, jax.random.split(key, num_steps))[0]

    return Kernel(walk)


def log_partition(params: PyTree) -> Array:
    """`[]` log sum_{v, h} exp(-E(v, h)) in nats, by all states of the smaller layer.

    Raises:
      BadInput: if it has more than `ENUMERATED` units.
    """
    weight, given, summed = params["weight"], params["visible"], params["hidden"]
    if len(summed) < len(given):
        weight, given, summed = weight.T, summed, given
    num = len(given)
    if num > ENUMERATED:
        raise BadInput(f"{num} units in the smaller layer: all states are summed of {ENUMERATED} at most; anneal there")

    def term(state):
        units = (state >> jnp.arange(num) & 1).astype(weight.dtype)
        return matmul(units, given) + jax.nn.softplus(matmul(units, weight) + summed).sum()

    return jax.nn.logsumexp(lax.map(term, jnp.arange(2**num), batch_size=min(CHUNK, 2**num)))


def annealing(
    params: PyTree, *, reference: Array, num_chains: int, inverse_temperatures: Array
) -> tuple[Algorithm, Array]:
    """Chains of `sampling.annealed` from independent units to the machine, and the log-partition they begin from.

        log p_0(v, h) = reference . v,   Z_0 = 2^H prod_i (1 + exp(reference_i))

    After as many steps as there are intervals, log Z is estimated by that plus `importance.log_normaliser` of the
    state's `log_weight`: without bias in Z, so too low rather than too high in log Z.

    Args:
      params: of an `RBM`.
      reference: `[D]` log-odds of the visible units at the start, such as those of the data's means.
      num_chains: C >= 1.
      inverse_temperatures: `[K + 1]` from 0 to 1, rising.
    Source: Salakhutdinov & Murray 2008, section 4.1; here the hidden units are not summed out.
    """
    num_hidden = len(params["hidden"])

    def log_density(units):
        v, h = units["visible"], units["hidden"]
        return matmul(v, params["visible"]) + matmul(h, params["hidden"]) + matmul(matmul(v, params["weight"]), h)

    def start(key):
        keys = jax.random.split(key)
        v = jax.random.bernoulli(keys[0], jax.nn.sigmoid(reference))
        h = jax.random.bernoulli(keys[1], 0.5, (num_hidden,))
        return {"visible": v.astype(float), "hidden": h.astype(float)}

    def log_reference(units):
        return matmul(units["visible"], reference)

    # Leaves lie in a row by their names: the hidden units come first.
    move = partial(two_layers, num_first=num_hidden)
    walk = {"inverse_temperatures": inverse_temperatures, "move": move, "num_chains": num_chains, "step_size": 1.0}
    algorithm = annealed_importance(log_density, start, log_reference=log_reference, **walk)
    return algorithm, num_hidden * jnp.log(2.0) + jax.nn.softplus(reference).sum()
