"""The laws that every algorithm obeys. A new factory is one line in `CASES`.

Eight virtual devices; small shapes. `make(axis)` builds the algorithm, `batch(step)` its data; `falls` names a metric
that must fall, or rise where `rises`, within a few dozen steps (progress). A stochastic step draws other noise under
pmap than under jit, as each device has a key of its own: there the law holds for the mean over steps, within its
statistical error.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl import data, diffusion, gan, graphical, latent, supervised
from adl.autoencoder.dreg import dreg
from adl.autoencoder.vae import bernoulli, beta_vae, iwae, perceptrons, vae
from adl.core import (
    Algorithm,
    Learner,
    Mean,
    alternate,
    average_params,
    beside,
    data_mesh,
    descend,
    ensemble,
    fsdp,
    jitted,
    over_devices,
    over_seeds,
    repeated,
    sharded,
    tree,
)
from adl.energy.contrastive_divergence import Points, contrastive_divergence, persistent_contrastive_divergence
from adl.graphical import kalman
from adl.graphical.factor_graph import grid
from adl.linear import bayes, covariance, gaussian_process, glm, latent_process
from adl.linear.bias_variance import decomposition
from adl.linear.generative import gaussian_classes
from adl.linear.perceptron import perceptron as rosenblatt
from adl.linear.regression import least_squares as normal_equations
from adl.linear.regression import lms, ridge
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.experts import Experts
from adl.nn.mlp import MLP
from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.resnet import BatchNorm, ResNet
from adl.nn.spectral import SpectralNorm
from adl.nn.tcn import TCN
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.prob import estimation, exponential_family
from adl.prob.gaussian import LinearGaussian, MultivariateNormal
from adl.rl.cartpole import cartpole
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo
from adl.run.checkpoint import Checkpoints
from adl.sampling import hmc as hamiltonian
from adl.sampling import metropolis
from adl.sampling.annealed import annealed_importance
from adl.sampling.gibbs import gibbs
from adl.sampling.hmc import hmc
from adl.sampling.langevin import langevin, mala, ula
from adl.sampling.nuts import nuts
from adl.sampling.particle_filter import particle_filter
from adl.sampling.sgld import sgld
from adl.sampling.slice import slice_sampler
from adl.sampling.smc import smc_sampler
from adl.sampling.tempering import parallel_tempering
from adl.selfsup.byol import byol
from adl.selfsup.deepcluster import deepcluster
from adl.selfsup.embedder import perceptron
from adl.sequence.language import language_model, truncated_bptt
from adl.sequence.translation import translation

KEY = jax.random.key(7)
STEPS = 3
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(4, 16, 8, 8, 1), dtype=np.uint8)
LABELS = (IMAGES.mean((2, 3, 4)) > 127).astype(np.int32)
POINTS = RNG.normal(size=(4, 16, 2)).astype("f")
LENGTHS = np.arange(16) % 8 + 1
WEIGHTS = np.linspace(-0.5, 1, 64).clip(0).astype("f")
SIGNALS = (np.random.default_rng(1).laplace(size=(64, 2)) @ np.array([[1.0, 0.6], [0.2, 1.0]])).astype("f")


class Flat(nn.Module):
    """An affine map of whole pictures."""

    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x.reshape(len(x), -1))


class Conditioned(nn.Module):
    """A picture from a noisy one, its noise level and its class: the smallest denoiser."""

    num_classes: int

    @nn.compact
    def __call__(self, x, noise, label):
        given = jnp.concatenate([noise[:, None], jax.nn.one_hot(label, self.num_classes)], -1)
        return nn.Dense(x.shape[-1])(x) + nn.Dense(x[0].size)(nn.tanh(nn.Dense(8)(given))).reshape(x.shape)


class Case(NamedTuple):
    """One factory, under all laws."""

    make: Callable[[str | None], Algorithm]
    batch: Callable[[int], Any]
    falls: str
    is_deterministic: bool = True
    steps: int = 40  # within which the metric falls
    rises: bool = False  # it rises instead: a return


def images(step: int) -> dict[str, np.ndarray]:
    return {"image": IMAGES[step % 4], "label": LABELS[step % 4]}


def nothing(step: int) -> tuple[()]:
    return ()


def points(step: int) -> np.ndarray:
    return POINTS[step % 4]


def cloud(step: int) -> dict[str, np.ndarray]:
    """All points at every step, some of which weigh less, or nothing."""
    return {"x": POINTS.reshape(-1, 2), "mask": WEIGHTS}


def signals(step: int) -> dict[str, np.ndarray]:
    """Two heavy-tailed sources, mixed."""
    return {"x": SIGNALS, "mask": WEIGHTS}


def bits(step: int) -> dict[str, np.ndarray]:
    """64 binary pictures at every step."""
    return {"x": (IMAGES.reshape(64, 64) > 127).astype("f"), "mask": WEIGHTS}


def texts(step: int) -> dict[str, np.ndarray]:
    return {"token": (np.arange(9)[None] + np.arange(16)[:, None] + step) % 5}


def answers(step: int) -> dict[str, np.ndarray]:
    """The same, of which the second half counts, and of some rows less."""
    return {**texts(step), "mask": (np.arange(8)[None] >= 4 + np.arange(16)[:, None] % 3).astype("f")}


def reversed_texts(step: int) -> dict[str, np.ndarray]:
    """What `texts` says, backwards, half of it shorter."""
    source = texts(step)["token"][:, :4]
    mask = (np.arange(5)[None] < 5 - np.arange(16)[:, None] % 2).astype(bool)
    target = np.concatenate([np.zeros((16, 1), int), source[:, ::-1]], 1)
    return {"source": source, "source_mask": mask[:, 1:], "target": target, "target_mask": mask}


def line(step: int) -> dict[str, np.ndarray]:
    x = POINTS[step % 4]
    return {"x": x, "y": x @ np.array([1, -2], "f"), "mask": WEIGHTS[16:32] + 0.5}


def numbers(step: int) -> dict[str, np.ndarray]:
    """Numbers about 3, some of which weigh less, or nothing."""
    return {"x": 3 + 0.5 * POINTS[step % 4, :, 0], "mask": WEIGHTS[16:32] + 0.5}


def shrinking(step: int) -> np.ndarray:
    """Data sets, with less noise in the second half of the steps."""
    return POINTS[step % 4] / (1 + step // 20)


def sides(step: int) -> dict[str, np.ndarray]:
    """Points, and the side of a line that they are on."""
    x = POINTS[step % 4]
    return {"x": x, "label": (x[:, 0] > 2 * x[:, 1]).astype(np.int32), "mask": WEIGHTS[16:32] + 0.5}


def all_sides(step: int) -> dict[str, np.ndarray]:
    """All points at every step."""
    batch = {"x": POINTS.reshape(-1, 2), "mask": WEIGHTS}
    return {**batch, "y": (batch["x"][:, 0] > 2 * batch["x"][:, 1]).astype(np.int32)}


def least_squares(axis: str | None, wrap: Callable = lambda tx: tx) -> Algorithm:
    """Gradient descent with everything that an optimizer's state can hold."""
    model, tx = nn.Dense(1), wrap(optax.chain(optax.adam(0.05), average_params(0.9)))

    def loss(key, params, extras, x):
        return {"loss": Mean.of((model.apply({"params": params}, x) - x.sum(-1, keepdims=True)) ** 2)}, extras

    def init(key, x):
        return Learner.create(model.init(key, x), tx)

    return Algorithm(init, descend(loss, tx, axis))


def phases(axis: str | None) -> Algorithm:
    """Two of one, one of the other, on one state."""
    one = least_squares(axis)

    def rest(key, state, x):
        return state, {"norm": Mean.of(tree.norm(state.params))}

    return alternate(one.init, (one.step, rest), (2, 1))


def classify(axis: str | None, model: nn.Module, **options) -> Algorithm:
    return supervised.classifier(model, optax.adam(0.01), encode=data.image.unit, axis=axis, **options)


def resnet(axis: str | None) -> nn.Module:
    return ResNet(2, (8, 8), norm=functools.partial(BatchNorm, axis=axis))


def flat(key: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
    return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)


def autoencode(make: Callable, axis: str | None, **options) -> Algorithm:
    return make(perceptrons(2, (16,), 64), optax.adam(0.01), likelihood=bernoulli, prepare=flat, axis=axis, **options)


def denoise(axis: str | None) -> Algorithm:
    tx = optax.chain(optax.adam(0.01), average_params(0.9))
    return diffusion.edm(
        Conditioned(2), tx, preconditioner=diffusion.preconditioner.karras(0.5), encode=data.image.symmetric, axis=axis
    )


def game(make: Callable, axis: str | None, *, wrap: Callable = gan.networks.bare, **options) -> Algorithm:
    """Two perceptrons that are told the class; the discriminator learns faster, so that at first its loss falls."""
    return make(
        gan.Players(gan.MLPGenerator((8, 8, 1), (16,), 2), gan.MLPDiscriminator((16,), 2, wrap)),
        gan.Players(optax.chain(optax.adam(1e-4), average_params(0.9)), optax.adam(0.01)),
        latent_dim=2,
        prepare=lambda key, batch: (data.image.symmetric(batch["image"]), batch["label"]),
        axis=axis,
        **options,
    )


def mixture(covariance: str, axis: str | None) -> Algorithm:
    return latent.gaussian_mixture(3, covariance=covariance, reg_covar=1e-3, axis=axis)


def speech(step: int) -> dict[str, np.ndarray]:
    """Sequences of symbols, some shorter than others, the same at every step."""
    return {
        "x": (IMAGES[0, :, 0] // 64).astype(np.int32)[..., 0],
        "mask": (np.arange(8)[None] < LENGTHS[:, None]) * 1.0,
    }


def tracks(step: int) -> dict[str, np.ndarray]:
    """Sequences of points, some of them not seen, the same at every step."""
    return {"x": POINTS.transpose(1, 0, 2), "mask": (np.arange(4)[None] != LENGTHS[:, None]) * 1.0}


def drift(axis: str | None) -> Algorithm:
    """From noise that is far too large."""
    system = kalman.LDS(
        MultivariateNormal(jnp.zeros(2), 4 * jnp.eye(2)),
        LinearGaussian(0.9 * jnp.eye(2), jnp.zeros(2), 4 * jnp.eye(2)),
        LinearGaussian(jnp.eye(2), jnp.zeros(2), 4 * jnp.eye(2)),
    )
    return graphical.lds_em(lambda key, batch: jax.tree.map(jnp.copy, system), axis=axis)


def speckles(step: int) -> dict[str, np.ndarray]:
    """Binary images, the same at every step."""
    return {"image": np.where(IMAGES[0, ..., 0] > 127, 1, -1).astype("f")}


def problems(step: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Four pixels that are told what to be, and to be alike, the same at every step."""
    own, pair = POINTS.transpose(1, 0, 2), np.array([[0.5, -0.5], [-0.5, 0.5]], "f")
    return {"potentials": (own, np.broadcast_to(pair, (16, 4, 2, 2)))}


def regression(noise: bayes.Noise, axis: str | None) -> Algorithm:
    return bayes.bayesian_regression(noise, axis=axis)


def process(axis: str | None) -> Algorithm:
    """Length and variance of a process, and the noise about it."""

    def model(theta):
        return covariance.scaled(covariance.squared_exponential(theta["length"]), theta["variance"]), theta["noise"]

    start = {"length": jnp.ones(2), "variance": 1.0, "noise": 0.5}
    return gaussian_process.evidence_ascent(model, start, optax.adam(0.05), axis=axis)


def balance(axis: str | None) -> Algorithm:
    return ppo(ActorCritic(2, (16,)), optax.adam(0.01), cartpole(), num_envs=16, horizon=32, axis=axis)


def predict_next(model: nn.Module, axis: str | None, **options) -> Algorithm:
    # Softmax does not see the keys' bias: its gradient is rounding, which a small epsilon would blow up to full steps.
    return language_model(model, optax.adam(0.01, eps=1e-3), axis=axis, **options)


def translate(axis: str | None) -> Algorithm:
    return translation(EncoderDecoder(5, 1, 2, 8), optax.adam(0.01, eps=1e-3), axis=axis)


def speckled(key: jax.Array, image: jax.Array) -> jax.Array:
    return data.views.random_noise(key, image, std=0.1)


def bootstrap(axis: str | None) -> Algorithm:
    embedder, predictor = perceptron((16, 16), (16, 8), axis=axis), MLP((16, 8))
    return byol(embedder, predictor, optax.adam(0.01), view=speckled, encode=data.image.unit, axis=axis)


def clusters(axis: str | None) -> Algorithm:
    """Phases so short that three steps see all of them."""
    of = {"num_examples": 16, "num_clusters": 4, "periods": (1, 6), "num_lloyd": 3}
    embedder = perceptron((16, 16), (16, 8), axis=axis)
    return deepcluster(embedder, optax.adam(0.01), view=speckled, encode=data.image.unit, axis=axis, **of)


def numbered(step: int) -> dict[str, np.ndarray]:
    """The same pictures at every step, and what they are called."""
    return {"image": IMAGES[0], "index": np.arange(16, dtype=np.int32)}


class Bowl(nn.Module):
    """The energy of a Gaussian of unit variance: its constant does not depend on the mean, the data's energy is all."""

    @nn.compact
    def __call__(self, x):
        return 0.5 * jnp.square(x - self.param("mean", nn.initializers.zeros, (2,))[None]).sum(-1)


def contrasted(make: Callable, axis: str | None, **options) -> Algorithm:
    """Data three standard deviations away from where the model begins."""
    walk = functools.partial(langevin, step_size=0.3, num_steps=5)
    return make(Bowl(), optax.adam(0.05), sampler=walk, prepare=lambda key, x: Points(x + 3, ()), axis=axis, **options)


def correlated(x: jax.Array) -> jax.Array:
    return -0.5 * x @ jnp.array([[2.0, -1.0], [-1.0, 1.0]]) @ x


def far(key: jax.Array) -> jax.Array:
    return 10 + jax.random.normal(key, (2,))


def near_far(x: jax.Array) -> jax.Array:
    """Log-density of where `far` is."""
    return -0.5 * jnp.square(x - 10).sum()


def far_chains(make: Callable, axis: str | None, **options) -> Algorithm:
    """Chains of a correlated Gaussian that begin ten standard deviations away and warm up while they come near."""
    return make(correlated, far, num_chains=16, num_warmup=30, step_size=0.1, **options)


def far_walkers(make: Callable, axis: str | None, **options) -> Algorithm:
    """The same, where nothing warms up."""
    return make(correlated, far, num_chains=16, **options)


def stride(key: jax.Array, x: jax.Array) -> jax.Array:
    """Towards the origin rather than away: a proposal that is not symmetric."""
    return 0.9 * x + jax.random.normal(key, (2,))


def conditionals() -> list[Callable]:
    """Of the same Gaussian."""
    return [
        lambda key, x: x.at[0].set(0.5 * x[1] + jnp.sqrt(0.5) * jax.random.normal(key)),
        lambda key, x: x.at[1].set(x[0] + jax.random.normal(key)),
    ]


def annealing(axis: str | None) -> Algorithm:
    schedule = jnp.linspace(0, 1, 30)
    move = functools.partial(hamiltonian.transition, num_leapfrog=2)
    return annealed_importance(near_far, far, correlated, schedule, move, num_chains=16, step_size=0.5)


def replicas(axis: str | None) -> Algorithm:
    of = {"num_chains": 16, "num_warmup": 30, "step_size": 0.1}
    return parallel_tempering(near_far, correlated, far, [0.0, 0.5, 1.0], metropolis.transition, **of)


def population(axis: str | None) -> Algorithm:
    return smc_sampler(near_far, far, correlated, metropolis.transition, num_particles=64, num_moves=2, axis=axis)


def mean_of_points(axis: str | None) -> Algorithm:
    """The posterior of the points' mean, by batches of them."""
    return sgld(
        lambda x: -0.005 * x @ x,
        lambda x, y: -0.5 * jnp.square(y - x).sum(),
        far,
        num_chains=16,
        num_data=64,
        step_size=optax.exponential_decay(0.1, 10, 0.5),
        axis=axis,
    )


def tracking(axis: str | None) -> Algorithm:
    """Sixteen walks at once, of which nothing is known before the first observation."""
    return particle_filter(
        lambda key: 30 * jax.random.normal(key, (2,)),
        lambda key, x: 0.9 * x + jax.random.normal(key, (2,)),
        lambda x, y: -0.5 * jnp.square(y - x).sum(),
        num_particles=256,
    )


CASES = {
    "descend": Case(least_squares, points, "loss"),
    "accumulated gradients": Case(lambda axis: least_squares(axis, lambda tx: optax.MultiSteps(tx, 2)), points, "loss"),
    "alternate": Case(phases, points, "loss"),
    "ensemble": Case(lambda axis: ensemble(least_squares(axis), 3), points, "loss"),
    "beside": Case(lambda axis: beside({"one": least_squares(axis), "other": phases(axis)}), points, "loss"),
    "classifier": Case(lambda axis: classify(axis, nn.Sequential([Flat(8), nn.relu, nn.Dense(2)])), images, "loss"),
    "classifier, batch norm": Case(lambda axis: classify(axis, resnet(axis)), images, "loss"),
    "classifier, views": Case(
        lambda axis: classify(axis, Flat(2), augment=functools.partial(data.views.random_shift, pixels=1)),
        images,
        "loss",
        is_deterministic=False,
    ),
    "vae": Case(functools.partial(autoencode, vae), images, "loss", is_deterministic=False),
    "beta_vae": Case(functools.partial(autoencode, beta_vae, beta=2.0), images, "loss", is_deterministic=False),
    "iwae": Case(functools.partial(autoencode, iwae, num_samples=3), images, "loss", is_deterministic=False),
    "dreg": Case(
        functools.partial(autoencode, dreg, num_samples=3, num_backward=2), images, "loss", is_deterministic=False
    ),
    "language_model": Case(functools.partial(predict_next, GPT(5, 8, 1, 2, 8)), texts, "loss"),
    "language_model, microbatches": Case(
        functools.partial(predict_next, GPT(5, 8, 1, 2, 8), microbatches=2), texts, "loss"
    ),
    "language_model, weights": Case(functools.partial(predict_next, TokenModel(5, 8, TCN((8,)))), answers, "loss"),
    "language_model, experts": Case(
        lambda axis: predict_next(GPT(5, 8, 1, 2, 8, feedforward=functools.partial(Experts, 2, axis=axis)), axis),
        texts,
        "loss",
    ),
    "language_model, lstm": Case(
        functools.partial(predict_next, TokenModel(5, 8, Recurrents(lstm, (8,)))), texts, "loss"
    ),
    "language_model, linear recurrence": Case(
        functools.partial(predict_next, TokenModel(5, 8, Layers(functools.partial(LRU, 8), 1))), texts, "loss"
    ),
    "language_model, selective": Case(
        functools.partial(predict_next, TokenModel(5, 8, Layers(functools.partial(Mamba, 2), 1))), texts, "loss"
    ),
    "language_model, convolutions": Case(functools.partial(predict_next, TokenModel(5, 8, TCN((8,)))), texts, "loss"),
    "truncated_bptt": Case(
        lambda axis: truncated_bptt(TokenModel(5, 8, Recurrents(lstm, (8,))), optax.adam(0.01), axis=axis),
        texts,
        "loss",
    ),
    "translation": Case(translate, reversed_texts, "loss"),
    "byol": Case(bootstrap, images, "loss", is_deterministic=False),
    "deepcluster": Case(clusters, numbered, "loss", is_deterministic=False),
    "ppo": Case(balance, lambda step: (), "return", is_deterministic=False, rises=True),
    "hmc": Case(functools.partial(far_chains, hmc, num_leapfrog=3), nothing, "potential", is_deterministic=False),
    "nuts": Case(functools.partial(far_chains, nuts, metric="dense"), nothing, "potential", is_deterministic=False),
    "mala": Case(functools.partial(far_chains, mala), nothing, "potential", is_deterministic=False),
    "ula": Case(functools.partial(far_walkers, ula, step_size=0.5), nothing, "potential", is_deterministic=False),
    "sgld": Case(mean_of_points, points, "potential", is_deterministic=False),
    "random_walk": Case(
        functools.partial(far_chains, metropolis.random_walk), nothing, "potential", is_deterministic=False
    ),
    "metropolis_hastings": Case(
        functools.partial(
            far_walkers,
            metropolis.metropolis_hastings,
            propose=stride,
            log_proposal=lambda to, of: -0.5 * jnp.square(to - 0.9 * of).sum(),
        ),
        nothing,
        "potential",
        is_deterministic=False,
    ),
    "gibbs": Case(lambda axis: gibbs(conditionals(), far, num_chains=16), nothing, "jump", is_deterministic=False),
    "gibbs, random scan": Case(
        lambda axis: gibbs(conditionals(), far, num_chains=16, scan="random"), nothing, "jump", is_deterministic=False
    ),
    "slice_sampler": Case(functools.partial(far_walkers, slice_sampler), nothing, "potential", is_deterministic=False),
    "parallel_tempering": Case(replicas, nothing, "potential", is_deterministic=False),
    "annealed_importance": Case(annealing, nothing, "potential", is_deterministic=False),
    "smc_sampler": Case(population, nothing, "potential", is_deterministic=False),
    "particle_filter": Case(tracking, points, "loss", is_deterministic=False),
    "contrastive_divergence": Case(
        functools.partial(contrasted, contrastive_divergence), points, "data_energy", is_deterministic=False
    ),
    "persistent_contrastive_divergence": Case(
        functools.partial(contrasted, persistent_contrastive_divergence, num_chains=32, alpha=0.01),
        points,
        "data_energy",
        is_deterministic=False,
    ),
    "edm": Case(denoise, images, "loss", is_deterministic=False),
    "gan, non-saturating, R1": Case(
        functools.partial(game, gan.gan, penalties=(gan.penalty.r1(0.1),)), images, "loss", is_deterministic=False
    ),
    "gan, hinge, spectral norm": Case(
        functools.partial(game, gan.gan, objective=gan.objective.hinge, wrap=SpectralNorm),
        images,
        "loss",
        is_deterministic=False,
    ),
    "wgan_gp": Case(functools.partial(game, gan.wgan_gp, n_critic=2), images, "loss", is_deterministic=False),
    "kmeans": Case(lambda axis: latent.kmeans(3, axis=axis), cloud, "loss"),
    "gaussian_mixture, full": Case(functools.partial(mixture, "full"), cloud, "loss"),
    "gaussian_mixture, tied": Case(functools.partial(mixture, "tied"), cloud, "loss"),
    "gaussian_mixture, diag": Case(functools.partial(mixture, "diag"), cloud, "loss"),
    "gaussian_mixture, spherical": Case(functools.partial(mixture, "spherical"), cloud, "loss"),
    "variational_mixture": Case(lambda axis: latent.variational_mixture(3, axis=axis), cloud, "loss"),
    "bernoulli_mixture": Case(lambda axis: latent.bernoulli_mixture(2, axis=axis), bits, "loss"),
    "pca": Case(lambda axis: latent.pca(1, axis=axis), cloud, "loss"),
    "randomised_pca": Case(lambda axis: latent.randomised_pca(1, num_oversamples=0, axis=axis), cloud, "loss"),
    "hebbian": Case(lambda axis: latent.hebbian(1, lambda step: 0.1 / (1 + 0.1 * step), axis=axis), cloud, "loss"),
    "factor_analysis": Case(lambda axis: latent.factor_analysis(1, axis=axis), cloud, "loss"),
    "factor_mixture": Case(lambda axis: latent.factor_mixture(2, 1, axis=axis), cloud, "loss"),
    "fast_ica": Case(lambda axis: latent.fast_ica(2, axis=axis), signals, "loss"),
    "baum_welch": Case(
        lambda axis: graphical.baum_welch(2, exponential_family.categorical(4), axis=axis), speech, "loss"
    ),
    "lds_em": Case(drift, tracks, "loss"),
    "icm": Case(lambda axis: graphical.icm(graphical.Ising(0.6, 0.7)), speckles, "loss"),
    "mean_field": Case(lambda axis: graphical.mean_field(graphical.Ising(0.6, 0.7)), speckles, "loss"),
    "gibbs, images": Case(
        lambda axis: graphical.gibbs(graphical.Ising(0.6, 0.7), num_warmup=2), speckles, "loss", is_deterministic=False
    ),
    "belief_propagation": Case(lambda axis: graphical.belief_propagation(grid(2, 2), damping=0.3), problems, "loss"),
    "bayesian_regression, known noise": Case(functools.partial(regression, bayes.known_noise(0.3)), line, "loss"),
    "maximum_likelihood": Case(
        lambda axis: estimation.maximum_likelihood(exponential_family.gamma(), axis=axis), numbers, "loss"
    ),
    "conjugate": Case(
        lambda axis: estimation.conjugate(exponential_family.normal(), total=[0.0, 1.0], count=1.0, axis=axis),
        numbers,
        "loss",
    ),
    "robbins_monro": Case(
        lambda axis: estimation.robbins_monro(lambda theta, x: theta - x, 0.0, axis=axis), numbers, "loss"
    ),
    "ridge": Case(lambda axis: ridge(1.0, axis=axis), line, "loss"),
    "least_squares": Case(lambda axis: normal_equations(axis=axis), line, "loss"),
    "lms": Case(lambda axis: lms(0.1, axis=axis), line, "loss"),
    "decomposition": Case(
        lambda axis: decomposition(lambda x: x[None] * jnp.array([[0.5], [2.0]]), jnp.zeros(2), axis=axis),
        shrinking,
        "loss",
    ),
    "irls, logistic": Case(lambda axis: glm.irls(glm.bernoulli, penalty=1.0, axis=axis), all_sides, "loss"),
    "irls, probit": Case(lambda axis: glm.irls(glm.probit, penalty=1.0, axis=axis), all_sides, "loss"),
    "irls, softmax": Case(lambda axis: glm.irls(glm.softmax(2), penalty=1.0, axis=axis), all_sides, "loss"),
    "evidence_ascent": Case(process, line, "loss"),
    "latent process": Case(
        lambda axis: latent_process.newton(glm.bernoulli, covariance.squared_exponential(1.0), axis=axis),
        all_sides,
        "loss",
    ),
    "gaussian_classes": Case(lambda axis: gaussian_classes(2, reg_covar=0.1, axis=axis), sides, "loss"),
    "gaussian_classes, tied": Case(
        lambda axis: gaussian_classes(2, covariance="tied", reg_covar=0.1, axis=axis), sides, "loss"
    ),
    "naive Bayes": Case(lambda axis: gaussian_classes(2, covariance="diag", reg_covar=0.1, axis=axis), sides, "loss"),
    "perceptron": Case(lambda axis: rosenblatt(axis=axis), sides, "loss"),
    "bayesian_regression": Case(functools.partial(regression, bayes.inverse_gamma_noise(1.0, 1.0)), line, "loss"),
}


@pytest.fixture(params=CASES, scope="module")
def case(request) -> Case:
    return CASES[request.param]


def keys(n: int = STEPS) -> jax.Array:
    return jax.random.split(KEY, n)


def run(alg: Algorithm, case: Case, n: int = STEPS, key: jax.Array | None = None):
    """n steps from the start: the state, and the metrics of each step."""
    key = keys(n) if key is None else key
    state, seen = alg.init(KEY, case.batch(0)), []
    for step in range(n):
        state, metrics = alg.step(key[step], state, case.batch(step))
        seen.append(metrics)
    return state, seen


def assert_same(a: Any, b: Any, **tolerance) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **(tolerance or {"rtol": 2e-4, "atol": 1e-5})), a, b)


def reported(case: Case, seen: list) -> np.ndarray:
    """The metric that falls, at the steps whose phase reports it."""
    return np.array([float(m[case.falls].value) for m in seen if float(m[case.falls].count) > 0])


def counted(alg: Algorithm) -> tuple[Algorithm, list[None]]:
    """The algorithm, and a list that grows by one whenever its step is traced: JAX's own cache may drop what it has."""
    traces = []

    def step(key, state, batch):
        traces.append(None)
        return alg.step(key, state, batch)

    return alg._replace(step=step), traces


def assert_agree(case: Case, a: Any, b: Any) -> None:
    """Same states and metrics; where devices draw their own noise, the same loss within its spread."""
    if case.is_deterministic:  # of metrics the values: what every device counts is counted eight times
        (state_a, seen_a), (state_b, seen_b) = a, b
        assert_same(state_a, state_b)
        assert_same(*([{k: v.value for k, v in m.items()} for m in seen] for seen in (seen_a, seen_b)))
    else:
        ours, theirs = (reported(case, metrics) for _, metrics in (a, b))
        spread = np.std(ours, ddof=1) + np.std(theirs, ddof=1) + 0.02 * abs(np.mean(ours))
        assert abs(np.mean(ours) - np.mean(theirs)) < 4 * spread / np.sqrt(len(ours))


@pytest.fixture(scope="module")
def reference(case):
    """The plain run under jit, that others are compared with."""
    return run(jitted(case.make(None)), case)


def test_step_keeps_structure_shapes_and_dtypes(case):
    alg = case.make(None)
    state = jax.eval_shape(alg.init, KEY, case.batch(0))
    after, metrics = jax.eval_shape(alg.step, KEY, state, case.batch(0))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == jax.tree.map(lambda x: (x.shape, x.dtype), after)
    assert all(isinstance(mean, Mean) and mean.total.shape == () == mean.count.shape for mean in metrics.values())


def test_state_is_arrays_of_its_own(case):
    state = jitted(case.make(None)).init(KEY, case.batch(0))
    leaves = [leaf for leaf in jax.tree.leaves(state) if leaf.size and jnp.issubdtype(leaf.dtype, jnp.number)]
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    pointers = [leaf.unsafe_buffer_pointer() for leaf in leaves]
    assert len(set(pointers)) == len(pointers)


def test_same_key_same_result_and_one_trace(case, reference):
    alg, traces = counted(case.make(None))
    again = run(jitted(alg), case)
    assert_same(again, reference, rtol=0, atol=0)
    assert len(traces) == 1


def test_jit_is_raw(case, reference):
    _, metrics = run(case.make(None), case, 1)
    assert_same(metrics[0], reference[1][0])


@pytest.mark.parametrize("layout", ["replicated", "fsdp"])
def test_sharded_is_jit(case, reference, layout):
    alg, traces = counted(case.make(None))
    lifted = sharded(alg, data_mesh(), *([fsdp] if layout == "fsdp" else []))
    assert_same(run(lifted, case), reference)
    assert len(traces) == 1


def test_pmap_is_jit(case, reference):
    alg, traces = counted(case.make("data"))
    n = STEPS if case.is_deterministic else 12
    want = reference if case.is_deterministic else run(jitted(case.make(None)), case, n)
    assert_agree(case, run(over_devices(alg), case, n), want)
    assert len(traces) == 1


def test_slice_of_seeds_is_the_run_with_that_key(case, reference):
    seeds = jax.random.split(jax.random.key(1), (STEPS, 3)).at[:, 1].set(keys())
    alg = jitted(over_seeds(case.make(None), 3))
    inits = jax.random.split(KEY, 3).at[1].set(KEY)
    state = alg.init(inits, case.batch(0))
    for step in range(STEPS):
        state, metrics = alg.step(seeds[step], state, case.batch(step))
    assert_same(tree.take((state, metrics), 1), (reference[0], reference[1][-1]))
    if not case.is_deterministic:
        assert float(metrics[case.falls].total[0]) != float(metrics[case.falls].total[1])


def test_repeated_is_that_many_steps(case, reference):
    alg = jitted(repeated(case.make(None), STEPS))
    batches = jax.tree.map(lambda *x: np.stack(x), *[case.batch(step) for step in range(STEPS)])
    state, metrics = alg.step(keys(), alg.init(KEY, batches), batches)
    assert_same(state, reference[0])
    merged = jax.tree.map(lambda *x: sum(x), *reference[1])
    assert_same(metrics, merged)


def test_resume_is_the_straight_run_bit_for_bit(case, reference, tmp_path):
    alg = jitted(case.make(None))
    state, _ = run(alg, case, 2, keys())
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(2, state)
    checkpoints.wait()
    restored = checkpoints.restore(2, alg.init(jax.random.key(99), case.batch(0)))
    checkpoints.close()
    resumed, _ = alg.step(keys()[2], restored, case.batch(2))
    assert_same(resumed, reference[0], rtol=0, atol=0)


def test_progress(case):
    _, seen = run(jitted(case.make(None)), case, case.steps)
    values = reported(case, seen)
    fifth = max(len(values) // 5, 1)
    change = values[-fifth:].mean() - values[:fifth].mean()
    assert change > 0 if case.rises else change < 0
