"""Energies of data three standard deviations away from where the model begins."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm
from adl.energy import rbm
from adl.energy.contrastive_divergence import Points, contrastive_divergence, persistent_contrastive_divergence
from adl.energy.joint import joint_energy
from adl.energy.noise_contrastive import Normalised, noise_contrastive
from adl.energy.score_matching import score_matching
from adl.energy.tilt import Tilted
from adl.nn.mlp import MLP
from adl.prob.gaussian import MultivariateNormal
from adl.prob.score import by_noise
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


def binary(step):
    """Two units that are mostly on."""
    return (points(step) > -1).astype("f")


def labelled(key, x):
    return x + 3, (x[:, 0] > 0).astype(jnp.int32)


def machine(axis):
    def coins(key, shape):
        return jax.random.bernoulli(key, 0.5, shape).astype(jnp.float32)

    of = {"sampler": rbm.block_gibbs(1), "num_chains": 32, "noise": coins}
    return persistent_contrastive_divergence(rbm.RBM(3), optax.adam(0.05), **of, axis=axis)


def told_apart(axis):
    noise = MultivariateNormal(jnp.zeros(2), 9 * jnp.eye(2))
    return noise_contrastive(Normalised(Bowl()), optax.adam(0.05), noise=noise, prepare=lambda k, x: x + 3, axis=axis)


def matched(axis):
    # Of noise as wide as the bowl, 1, the loss would be |x - m|^2 / 2, whatever the noise is.
    return score_matching(Bowl(), optax.adam(0.05), objective=by_noise(0.5), prepare=lambda k, x: x + 3, axis=axis)


def joint(axis):
    model, walk = Tilted(MLP((4, 2), activation=nn.silu), 2.0), functools.partial(langevin, step_size=0.3, num_steps=2)
    of = {"sampler": walk, "num_chains": 32, "prepare": labelled}
    return joint_energy(model, optax.adam(0.05), **of, axis=axis)


CASES = {
    "joint_energy": Case(joint, points, "nll", is_deterministic=False),
    "noise_contrastive": Case(told_apart, points, "loss", is_deterministic=False),
    "persistent_contrastive_divergence, of binary units": Case(machine, binary, "data_energy", is_deterministic=False),
    "score_matching": Case(matched, points, "loss", is_deterministic=False),
    "contrastive_divergence": case(contrastive_divergence),
    "persistent_contrastive_divergence": case(persistent_contrastive_divergence, num_chains=32, alpha=0.01),
}
