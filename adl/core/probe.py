"""What looks: probes lifted with their algorithm, and passes that see every example of a split once."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adl.core import layout
from adl.core.types import Array, Key, Mean, Probe, PyTree, State


def jitted(probe: Probe, mesh: Mesh | None = None) -> Probe:
    """Compiles a probe; the state stays the caller's.

    Args:
      probe: any; under a mesh, what it maps over a split (`full_pass`) spreads over the devices.
      mesh: of the state's devices, on each of which the results are whole; None where there is one device.
    """
    if mesh is None:
        return jax.jit(probe)
    compiled = jax.jit(probe, out_shardings=NamedSharding(mesh, PartitionSpec()))

    def under_mesh(*arguments):
        with jax.set_mesh(mesh):
            return compiled(*arguments)

    return under_mesh


def over_seeds(probe: Probe) -> Probe:
    """The probe of each of the runs of `over_seeds`: `probe(keys [S], states [S, ...])`."""
    return jax.vmap(probe)


def over_values(make: Callable[[PyTree], Probe], values: PyTree) -> Probe:
    """The probe of each of the runs of `over_values`, all with the same keys."""
    values = jax.tree.map(jnp.asarray, values)
    return lambda key, state: jax.vmap(lambda value, s: make(value)(key, s))(values, state)


def full_pass(
    measure: Callable[[Key, State, PyTree], Mapping[str, Mean | Array]], batches: PyTree, num_examples: int
) -> Probe:
    """Probe that sees every example of a split exactly once.

    Args:
      measure: `measure(key, state, batch) -> {name: Mean or Array [B, ...]}`, with the batch's mask as weights.
      batches: leaves `[N, B, ...]`: the split cut into N equal batches, padded and masked (`data.padded`).
      num_examples: examples in the split, without padding.
    Returns:
      A probe: `Mean`s merged over the split, arrays `[num_examples, ...]` in the order of the split.
    """
    num_batches = jax.tree.leaves(batches)[0].shape[0]
    batches = jax.tree.map(jnp.asarray, batches)

    def probe(key, state):
        def one(inputs):
            return measure(inputs[0], state, layout.spread(inputs[1]))

        results = lax.map(one, (jax.random.split(key, num_batches), batches))

        def merge(result):
            if isinstance(result, Mean):
                return Mean(result.total.sum(0), result.count.sum(0))
            return result.reshape(-1, *result.shape[2:])[:num_examples]

        return {name: merge(result) for name, result in results.items()}

    return probe
