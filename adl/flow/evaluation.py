"""What a flow is judged by: its exact likelihood, of points beside the truth, of pictures in bits; and its draws."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Learner, Mean, Probe
from adl.core.lift import Phases
from adl.flow.likelihood import drawn_from
from adl.flow.matching import carried, straightness
from adl.measure.plane import LogDensity, energy_distance, normaliser
from adl.measure.rate import bits

Prepare = Callable[[Key, dict[str, Array]], Array]


def against_truth(log_density: LogDensity, x: Array, log_true: Array, *, limit: float) -> Probe:
    """Probe of the likelihood of points of the plane, by the flow's own word, in nats a point.

    Args:
      log_density: of the flow, `(state, points [N, 2]) -> [N]`, normalised.
      x: `[N, 2]` points of the true density.
      log_true: `[N]`, its logarithm at these.
      limit: > 0, half a side of the square that is integrated over.
    Returns:
      `probe(key, state)`: `nll`, -log p; `entropy`, -log true, which it cannot pass but by chance; `kl`, by how much it
      fails to; `mass`, the integral of p over the square: 1, but for what lies outside.
    """

    def probe(columns, key: Key, state) -> dict[str, Mean]:
        x, log_true = columns
        log_model = log_density(state, x)
        mass = jnp.exp(normaliser(log_density, state, limit))
        kl = Mean.of(log_true - log_model)
        return {"nll": Mean.of(-log_model), "kl": kl, "entropy": Mean.of(-log_true), "mass": Mean.of(mass)}

    return Partial(probe, (x, log_true))


def in_bits(
    model: nn.Module, prepare: Prepare, shape: Sequence[int], *, num_levels: int
) -> Callable[[Key, Learner, dict[str, Array]], dict[str, Mean]]:
    """Measure for `core.full_pass`: `nll` of the density in nats an example, and what `rate.bits` says of the levels.

    A density of levels spread to [0, 1) bounds their probability: log P >= E log p(x) - D log num_levels.

    Args:
      model: the flow; averaged parameters are looked at.
      prepare: as in training, to [0, 1).
      shape: of an example; D is its size.
      num_levels: >= 2, grey levels.
    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
    """
    num_dims = math.prod(shape)

    def measure(key: Key, learner: Learner, batch: dict[str, Array]) -> dict[str, Mean]:
        log_prob = model.apply(learner.averaged, prepare(key, batch), method="log_prob")
        of = {"num_dims": num_dims, "levels": num_levels, "mask": batch["mask"]}
        return {"nll": Mean.of(-log_prob, batch["mask"]), **bits(log_prob - num_dims * math.log(num_levels), **of)}

    return measure


def sampled(model: nn.Module, shape: Sequence[int], *, num: int) -> Callable[[Key, Learner], Array]:
    """`(key, learner) -> [num, ...]` samples, by averaged parameters."""
    return lambda key, learner: drawn_from(model, learner.averaged, key, (num, *shape))


def by_steps(
    model: nn.Module, train: Array, test: Array, *, steps: Sequence[int], num_ways: int = 500
) -> Callable[[Key, Phases], dict[str, Mean]]:
    """Probe of the two flows of `matching.reflow`, by averaged parameters: quality by evaluations of the network.

    Args:
      model: the velocity.
      train: `[N, D]` points learned from.
      test: `[M, D]` others, M >= 2.
      steps: of Euler, from noise to a sample.
      num_ways: whose straightness is looked at.
    Returns:
      `probe(key, state)`: `first_1` and so on, `energy_distance` of M samples of the first flow at one step from the
      test points, `second_1` of the second; `data`, that of the first M training points, which a sampler can reach;
      `first_bend` and `second_bend`, as in `straightness`.
    """

    def probe(points, key: Key, phases: Phases) -> dict[str, Mean]:
        train, test = points
        noise = jax.random.normal(key, test.shape)
        found = {"data": energy_distance(train, test)}
        for name, learner in phases.state._asdict().items():
            field = functools.partial(model.apply, learner.averaged)
            for n in steps:
                found[f"{name}_{n}"] = energy_distance(carried(field, noise, num_steps=n), test)
            found[f"{name}_bend"] = straightness(field, noise[:num_ways]).mean()
        return {name: Mean.of(value) for name, value in found.items()}

    return Partial(probe, (train[: len(test)], test))
