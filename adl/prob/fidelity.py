"""How like the data samples are: judged by nearest neighbours and by moments, without a trained judge."""

import jax.numpy as jnp
from jax import Array, lax

from adl.core.types import Mean
from adl.prob import information, neighbours


def fidelity(samples: Array, reference: Array, label: Array, *, num_classes: int) -> dict[str, Mean | Array]:
    """What tells samples from a reference, one sample for each reference example and of its class.

    Args:
      samples: `[N, ...]`, the i-th asked to be of class `label[i]`.
      reference: `[N, ...]` data, in the unit of the samples.
      label: `[N]` integers in 0 ... num_classes - 1.
      num_classes: K >= 1.
    Returns:
      `two_sample_accuracy`, as in `neighbours.two_sample_accuracy`: 1/2 where the two cannot be told apart, 1 where
      they lie apart, towards 0 where samples are copies; `class_accuracy`: share of the samples that 3 nearest
      neighbours in the reference recognise as their class; `frechet`: as in `information.frechet_distance`, on raw
      features; and `nearest` `[N, ...]`: the reference example nearest to each sample.
    """
    # The barrier keeps the compiler from computing with the reference, a constant to it, at compile time.
    rows, known = lax.optimization_barrier((samples.reshape(len(samples), -1), reference.reshape(len(reference), -1)))
    classes = neighbours.classify(rows, known, label, k=3, num_classes=num_classes)
    return {
        "two_sample_accuracy": Mean.of(neighbours.two_sample_accuracy(rows, known)),
        "class_accuracy": Mean.of((classes == label).astype(jnp.float32)),
        "frechet": Mean.of(information.frechet_distance(rows, known)),
        "nearest": reference[neighbours.squared_distances(rows, known).argmin(1)],
    }
