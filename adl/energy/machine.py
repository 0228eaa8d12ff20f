"""What a restricted Boltzmann machine is judged and shown by: its likelihood, exact or annealed, and its chains.

The state is a `Learner`, or a `Follower` that holds one, which keeps an average of its parameters: that is looked at.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Learner, Mean, Probe, PyTree, trace
from adl.energy.contrastive_divergence import Follower, Points
from adl.energy.rbm import ENUMERATED, RBM, annealing, block_gibbs, log_partition
from adl.measure import rate
from adl.sampling import importance

LEAST = 0.01  # share of white, and of black, that a pixel has where annealing begins


class Machine(NamedTuple):
    """A machine of binary pictures."""

    model: RBM
    shape: Sequence[int]  # of a picture, (H, W, C)
    num_steps: int  # of Gibbs, from coins to a picture

    def is_exact(self, params: PyTree) -> bool:
        """Whether the states of the smaller layer are few enough to be summed."""
        return min(params["weight"].shape) <= ENUMERATED

    def exact(self, x: Array) -> Probe:
        """Probe: `nll` in nats a picture of `x [N, D]`, `bits` of two levels, and `log_partition`, by brute force."""

        def probe(x, key: Key, state: Learner | Follower) -> dict[str, Mean]:
            params = _learned(state).averaged["params"]
            return self._likelihood(x, params, log_partition(params))

        return Partial(probe, x)

    def annealed(self, x: Array, start: Array, *, num_chains: int, num_temperatures: int) -> Probe:
        """Probe: the same by annealing, and `log_partition_error`, its standard error.

        The estimate of the partition function errs rather downwards, so that likelihoods are rather flattered. Of a
        machine that can be summed "gap" is by how much it is above the exact one.

        Args:
          x: `[N, D]` pictures to test.
          start: `[D]` share of white of each pixel where annealing begins, such as the mean of the data.
          num_chains: >= 2.
          num_temperatures: >= 1, that each goes through.
        """
        share = np.clip(start, LEAST, 1 - LEAST)
        how = {"num_chains": num_chains, "inverse_temperatures": np.linspace(0, 1, num_temperatures + 1)}

        def probe(carried, key: Key, state: Learner | Follower) -> dict[str, Mean]:
            (x, share), params = carried, _learned(state).averaged["params"]
            init_key, key = jax.random.split(key)
            chains, log_first = annealing(params, reference=jnp.log(share) - jnp.log1p(-share), **how)
            ends, _ = trace(chains, num_temperatures, lambda state: ())(key, chains.init(init_key, ()))
            told = self._likelihood(x, params, log_first + importance.log_normaliser(ends.log_weight))
            told["log_partition_error"] = Mean.of(importance.log_normaliser_error(ends.log_weight))
            if self.is_exact(params):
                told["gap"] = Mean.of(told["log_partition"].value - log_partition(params))
            return told

        return Partial(probe, (x, share))

    def draw(self, key: Key, state: Learner | Follower) -> Array:
        """`[H, W, C]` one picture in {0, 1}."""
        return self._drawn(key, state, 1)[0]

    def samples(self, data: Array) -> Probe:
        """Probe: `drawn` `[3, C, H, W, C]` pictures, and the `data` `[R, C, H, W, C]` to be shown beside."""
        cols = data.shape[1]

        def probe(data, key: Key, state: Learner | Follower) -> dict[str, Array]:
            return {"drawn": self._drawn(key, state, 3 * cols).reshape(3, cols, *self.shape), "data": data}

        return Partial(probe, data)

    def _drawn(self, key, state, num):
        start_key, key = jax.random.split(key)
        starts = Points(coins(start_key, (num, int(np.prod(self.shape)))))
        walk = block_gibbs(self.num_steps).walk
        return walk(key, self.model, _learned(state).averaged, starts).reshape(num, *self.shape)

    def _likelihood(self, x: Array, params: PyTree, log_z: Array) -> dict[str, Mean]:
        log_prob = -self.model.apply({"params": params}, x) - log_z
        bits = rate.bits(log_prob, num_dims=x.shape[1], levels=2)
        return {"nll": Mean.of(-log_prob), "log_partition": Mean.of(log_z), **bits}


def coins(key: Key, shape: tuple[int, ...]) -> Array:
    """`[...]` of 0 and 1 alike: where chains begin."""
    return jax.random.bernoulli(key, 0.5, shape).astype(jnp.float32)


def _learned(state: Learner | Follower) -> Learner:
    return state.learner if isinstance(state, Follower) else state
