"""Energies of data three standard deviations away from where the model begins."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import optax

from adl.core import Algorithm
from adl.energy.contrastive_divergence import Points, contrastive_divergence, persistent_contrastive_divergence
from adl.sampling.langevin import langevin
from tests.case import Case, points


class Bowl(nn.Module):
    """The energy of a Gaussian of unit variance: its constant does not depend on the mean, the data's energy is all."""

    @nn.compact
    def __call__(self, x):
        return 0.5 * jnp.square(x - self.param("mean", nn.initializers.zeros, (2,))[None]).sum(-1)


def contrasted(make: Callable, axis: str | None, **options) -> Algorithm:
    walk = functools.partial(langevin, step_size=0.3, num_steps=5)
    return make(Bowl(), optax.adam(0.05), sampler=walk, prepare=lambda key, x: Points(x + 3, ()), axis=axis, **options)


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(contrasted, make, **options), points, "data_energy", is_deterministic=False)


CASES = {
    "contrastive_divergence": case(contrastive_divergence),
    "persistent_contrastive_divergence": case(persistent_contrastive_divergence, num_chains=32, alpha=0.01),
}
