"""What looks: probes lifted with their algorithm, and passes that see every example of a split once.

A probe that looks at data carries them as arguments, `jax.tree_util.Partial(fn, data)` with `fn(data, key, state)`:
what a program closes over would be a constant of it, which is copied, folded and compiled with it.
"""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.tree_util import Partial

from adl.core import layout, tree
from adl.core.types import Array, Key, Mean, Probe, PyTree, State


def jitted(probe: Callable, mesh: Mesh | None = None) -> Callable:
    """Compiles a probe; the state stays the caller's, and what a `Partial` carries is moved to the devices once.

    Args:
      probe: any; under a mesh, what it maps over a split (`full_pass`) spreads over the devices.
      mesh: of the state's devices, on each of which the results are whole; None where there is one device.
    Returns:
      The probe, which has a `trace` as `jax.jit`'s.
    """
    whole = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    compiled = jax.jit(lambda probe, *arguments: probe(*arguments), out_shardings=whole)
    carried = jax.device_put(carrying(probe), whole)

    def under_mesh(call, *arguments):
        with jax.set_mesh(mesh):
            return call(carried, *arguments)

    bind = functools.partial(functools.partial, under_mesh) if mesh else lambda call: functools.partial(call, carried)
    looks = bind(compiled)
    looks.trace = bind(compiled.trace)
    return looks


def over_seeds(probe: Probe) -> Probe:
    """The probe of each of the runs of `over_seeds`: `probe(keys [S], states [S, ...])`."""
    return Partial(lambda probe, key, state: jax.vmap(probe)(key, state), carrying(probe))


def of_one(name: str, probe: Probe) -> Probe:
    """The probe of one of the algorithms of `beside`, by its name: it sees `state[name]`."""
    return Partial(lambda probe, key, state: probe(key, state[name]), carrying(probe))


def over_values(make: Callable[[PyTree], Probe], values: PyTree) -> Probe:
    """The probe of each of the runs of `over_values`, all with the same keys.

    What `make(value)` carries and the value does not decide is carried once, for all values.
    """
    values = jax.tree.map(jnp.asarray, values)

    def probe(values, carried, key, state):
        def one(value, state):
            own, structure = jax.tree.flatten(carrying(make(value)))
            decided = [isinstance(leaf, jax.core.Tracer) for leaf in own]
            return structure.unflatten(o if d else c for o, d, c in zip(own, decided, carried, strict=True))(key, state)

        return jax.vmap(one)(values, state)

    return Partial(probe, values, jax.tree.leaves(carrying(make(tree.take(values, 0)))))


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

    def probe(batches, key, state):
        def one(inputs):
            return measure(inputs[0], state, layout.spread(inputs[1]))

        batches = jax.tree.map(jnp.asarray, batches)
        keys = jax.random.split(key, jax.tree.leaves(batches)[0].shape[0])
        results = lax.map(one, (keys, batches))

        def merge(result):
            if isinstance(result, Mean):
                return Mean(result.total.sum(0), result.count.sum(0))
            return result.reshape(-1, *result.shape[2:])[:num_examples]

        return {name: merge(result) for name, result in results.items()}

    return Partial(probe, batches)


def carrying(probe: Callable) -> Partial:
    """The same as a tree of the arrays that it carries, none where it is no `Partial`: what others may carry."""
    return probe if isinstance(probe, Partial) else Partial(probe)
