"""Networks that drop units and normalise by the batch learn in every family, which has no code for either."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl import data, diffusion, gan
from adl.autoencoder.dreg import dreg
from adl.autoencoder.vae import VAE, Gaussian, bernoulli, vae
from adl.core import Algorithm, Learner
from adl.diffusion import denoising
from adl.energy.contrastive_divergence import Points, persistent_contrastive_divergence
from adl.nn.mlp import MLP
from adl.nn.resnet import BatchNorm
from adl.rl.environment.cartpole import cartpole
from adl.rl.ppo import ppo
from adl.sampling.langevin import langevin
from adl.selfsup.byol import Predicting, byol
from adl.selfsup.deepcluster import deepcluster
from adl.selfsup.embedder import Embedder, encoded
from adl.sequence.language import language_model, truncated_bptt
from adl.sequence.translation import translation
from adl.supervised.classification import classifier, views

KEY, TX = jax.random.key(0), optax.sgd(0.1)
RNG = np.random.default_rng(0)
IMAGES = {
    "image": RNG.integers(0, 256, (8, 4, 4, 1), np.uint8),
    "label": np.arange(8) % 2,
    "index": np.arange(8),
}
TEXTS = {name: RNG.integers(0, 5, (8, length)) for name, length in (("token", 6), ("source", 5), ("target", 6))}


class Restless(nn.Module):
    """A perceptron with both, of the first of its inputs; `shaped(h, x)` makes the output of what it says."""

    size: int
    rate: float
    shaped: Callable = lambda h, x: h

    @nn.compact
    def __call__(self, x, *given, **more):
        h = jax.nn.one_hot(x, 5) if jnp.issubdtype(x.dtype, jnp.integer) else x
        h = h.reshape(len(h), -1) if h.ndim == 4 else h
        return self.shaped(MLP((8, self.size), norm=BatchNorm, dropout=self.rate)(h), x)

    def empty_cache(self, size):
        return jnp.zeros((size, 1))


def flat(key, batch):
    return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)


def still(key, x):
    return x


def autoencode(make, rate, **options):
    def network(size):
        return MLP((8, size), norm=BatchNorm, dropout=rate)

    return make(VAE(Gaussian(network(4)), network(16)), TX, likelihood=bernoulli, prepare=flat, **options)


def denoise(rate):
    model = Restless(16, rate, lambda h, x: h.reshape(x.shape))
    prepare = denoising.labelled(data.image.unit, num_classes=2)
    return diffusion.edm.edm(model, TX, preconditioner=diffusion.preconditioner.karras(0.5), prepare=prepare)


def game(rate):
    players = gan.adversarial.Players(Restless(16, rate), Restless(1, rate, lambda h, x: h[:, 0]))
    of = {"latent_dim": 2, "penalties": (gan.penalty.r1(0.1),), "prepare": lambda key, batch: (flat(key, batch),)}
    return gan.adversarial.gan(players, gan.adversarial.Players(TX, TX), **of)


def embedder(rate):
    return Embedder(Restless(8, rate), Restless(4, rate))


def bootstrap(rate):
    return byol(Predicting(embedder(rate), Restless(4, rate)), TX, view=still, prepare=encoded(data.image.unit))


def clusters(rate):
    of = {"num_examples": 8, "num_clusters": 2, "periods": (1, 6), "num_lloyd": 2, "view": still}
    return deepcluster(embedder(rate), TX, prepare=encoded(data.image.unit), **of)


def contrast(rate):
    walk = functools.partial(langevin, step_size=0.1, num_steps=2)
    of = {"sampler": walk, "num_chains": 8, "prepare": lambda key, batch: Points(flat(key, batch))}
    return persistent_contrastive_divergence(Restless(1, rate, lambda h, x: h[:, 0]), TX, **of)


def balance(rate):
    model = Restless(3, rate, lambda h, x: (h[..., :2], h[..., 2]))
    return ppo(model, TX, env=cartpole(), num_envs=4, horizon=4, num_epochs=2, num_minibatches=2)


def carried(rate):
    return truncated_bptt(Restless(5, rate, lambda h, x: (h, h[:, -1, :1])), TX)


FAMILIES = {
    "supervised": (lambda rate: classifier(Restless(2, rate), TX, prepare=views(data.image.unit)), IMAGES, 1),
    "autoencoder": (functools.partial(autoencode, vae), IMAGES, 1),
    "autoencoder, doubly": (functools.partial(autoencode, dreg, num_samples=3), IMAGES, 1),
    "diffusion": (denoise, IMAGES, 1),
    "gan": (game, IMAGES, 1),
    "selfsup, byol": (bootstrap, IMAGES, 1),
    "selfsup, deepcluster": (clusters, IMAGES, 3),
    "energy": (contrast, IMAGES, 1),
    "rl": (balance, (), 1),
    "sequence, language": (lambda rate: language_model(Restless(5, rate), TX), TEXTS, 1),
    "sequence, memory": (carried, TEXTS, 1),
    "sequence, translation": (lambda rate: translation(Restless(5, rate), TX), TEXTS, 1),
}


def learners(state) -> list[Learner]:
    found = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, Learner))
    return [node for node in found if isinstance(node, Learner)]


def stepped(alg: Algorithm, state, batch, steps):
    step = jax.jit(alg.step)
    for i in range(steps):
        state, metrics = step(jax.random.fold_in(KEY, i), state, batch)
    return state, metrics


@pytest.mark.parametrize("family", FAMILIES)
def test_units_drop_and_statistics_move(family):
    make, batch, steps = FAMILIES[family]
    start = jax.jit(make(0.5).init)(KEY, batch)
    whole, metrics = stepped(make(0.0), start, batch, steps)
    dropped, told = stepped(make(0.5), start, batch, steps)
    assert float(metrics["loss"].value) != float(told["loss"].value)
    assert jax.tree.structure(start) == jax.tree.structure(dropped)
    for before, without, learner in zip(*map(learners, (start, whole, dropped)), strict=True):
        assert list(learner.extras) == ["batch_stats"]
        for a, b in zip(jax.tree.leaves(before.extras), jax.tree.leaves(learner.extras), strict=True):
            assert not np.allclose(a, b)
        differences = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), without.params, learner.params)
        assert max(jax.tree.leaves(differences)) > 1e-5
        assert np.isfinite(optax.tree.norm(learner.params))
