"""Maximum likelihood where it is known in closed form, and a buffer of chains that does what it says."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, Learner, Mean, average_params, jitted, over_devices
from adl.energy.contrastive_divergence import (
    Points,
    contrast,
    contrastive_divergence,
    persistent_contrastive_divergence,
    score,
)
from adl.sampling.langevin import langevin

KEY = jax.random.key(0)
COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.8]], "f")
MEAN = np.array([1.0, -0.5], "f")
DATA = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, 512).astype("f")


class Quadratic(nn.Module):
    """E(x) = (x - m)' L L' (x - m) / 2: a Gaussian of any mean and precision."""

    @nn.compact
    def __call__(self, x):
        m = self.param("mean", nn.initializers.zeros, (2,))
        root = self.param("root", lambda key: jnp.eye(2))
        return 0.5 * jnp.square((x - m[None]) @ root).sum(-1)


class Affine(nn.Module):
    """E(x, y) = |x - m_y|^2 / 2 with a mean for each of two classes."""

    @nn.compact
    def __call__(self, x, label):
        m = self.param("mean", nn.initializers.zeros, (2, 2))
        return 0.5 * jnp.square(x - m[label]).sum(-1)


WALK = functools.partial(langevin, step_size=0.3, num_steps=10)


def moments(params):
    precision = params["root"] @ params["root"].T
    return params["mean"], np.linalg.inv(precision)


@pytest.mark.parametrize("method", ["contrastive_divergence", "persistent"])
def test_a_gaussian_learns_the_moments_of_the_data(method):
    """The maximum likelihood of a Gaussian; Langevin's own bias, eps^2 / 4 of the precision, is within the bounds."""
    tx = optax.chain(optax.adam(0.02), average_params(0.99))
    make = {
        "contrastive_divergence": contrastive_divergence,
        "persistent": functools.partial(persistent_contrastive_divergence, num_chains=1024),
    }[method]
    alg = jitted(make(Quadratic(), tx, sampler=WALK))
    state = alg.init(KEY, DATA)
    for key in jax.random.split(KEY, 600):
        state, metrics = alg.step(key, state, DATA)
    learner = state.learner if method == "persistent" else state
    mean, covariance = moments(learner.averaged["params"])
    np.testing.assert_allclose(mean, DATA.mean(0), atol=0.08)
    np.testing.assert_allclose(covariance, np.cov(DATA, rowvar=False), atol=0.12)
    assert abs(float(metrics["contrast"].value)) < 0.2


def test_conditions_stay_with_their_chains():
    """Each class learns its own mean, from chains that keep their label."""
    label = np.arange(512, dtype=np.int32) % 2
    batch = {"x": DATA + 4 * label[:, None], "label": label}
    alg = jitted(
        persistent_contrastive_divergence(
            Affine(),
            optax.adam(0.05),
            sampler=WALK,
            num_chains=512,
            restart=0.0,  # a chain on its way would move the mean
            prepare=lambda key, batch: Points(batch["x"], (batch["label"],)),
        )
    )
    state = alg.init(KEY, batch)
    np.testing.assert_array_equal(state.chains.given[0], label)
    for key in jax.random.split(KEY, 300):
        state, _ = alg.step(key, state, batch)
    for y in (0, 1):
        data_mean = batch["x"][label == y].mean(0)
        np.testing.assert_allclose(state.learner.params["mean"][y], data_mean, atol=0.15)
        np.testing.assert_allclose(state.chains.x[state.chains.given[0] == y].mean(0), data_mean, atol=0.4)


def test_the_gradient_is_that_of_the_likelihood_where_samples_are_exact():
    model, n = Quadratic(), 200_000
    params = {"mean": jnp.array([0.3, 0.2]), "root": jnp.array([[1.2, 0.0], [-0.4, 0.9]])}
    noise = jax.random.normal(KEY, (n, 2))
    exact = params["mean"][None] + noise @ jnp.linalg.inv(params["root"])  # covariance (L L')^-1
    np.testing.assert_allclose(np.cov(exact, rowvar=False), moments(params)[1], atol=0.02)

    def loss(params):
        data = Points(jnp.tile(jnp.asarray(DATA), (-(-n // len(DATA)), 1))[: n // len(DATA) * len(DATA)])
        metrics, _ = contrast(model, 0.0)(KEY, params, {}, data, Points(exact[: len(data.x)]))
        return metrics["loss"].value

    def nll(params):
        energy = model.apply({"params": params}, jnp.asarray(DATA)).mean()
        return energy - jnp.linalg.slogdet(params["root"])[1]  # log Z, up to a constant

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=0.02), jax.grad(loss)(params), jax.grad(nll)(params)
    )


def test_the_regulariser_is_of_both_energies():
    params = {"mean": jnp.zeros(2), "root": jnp.eye(2)}
    one, two = Points(jnp.array([[1.0, 1.0]])), Points(jnp.array([[2.0, 0.0]]))  # energies 1 and 2
    metrics, _ = contrast(Quadratic(), 0.5)(KEY, params, {}, one, two)
    np.testing.assert_allclose(metrics["loss"].value, 1 - 2 + 0.5 * (1 + 4))
    np.testing.assert_allclose(metrics["contrast"].value, -1)


def test_the_score_is_minus_the_energys_gradient():
    params = {"params": {"mean": jnp.ones(2), "root": 2 * jnp.eye(2)}}
    x = jax.random.normal(KEY, (5, 2))
    np.testing.assert_allclose(score(Quadratic(), params)(x), -4 * (x - 1), rtol=1e-5)


def buffer(restart, axis=None, sampler=WALK, **options):
    return persistent_contrastive_divergence(
        Quadratic(), optax.sgd(0.0), sampler=sampler, num_chains=64, restart=restart, axis=axis, **options
    )


def moved(before, after):
    return np.asarray((before.chains.x != after.chains.x).any(-1))


def test_a_step_moves_as_many_chains_as_there_are_examples_and_no_other():
    alg, counts = buffer(0.0), np.zeros(64)
    state = alg.init(KEY, DATA[:16])
    for key in jax.random.split(KEY, 50):
        after, _ = alg.step(key, state, DATA[:16])
        assert moved(state, after).sum() == 16  # none drawn twice
        counts, state = counts + moved(state, after), after
    assert counts.min() > 0 and counts.max() < 30  # each is drawn 12.5 times on average


def test_each_device_moves_its_own_part():
    alg = over_devices(buffer(0.0, "data"))
    state = alg.init(KEY, DATA[:16])
    before = jax.tree.map(np.asarray, state)
    after, _ = alg.step(KEY, state, DATA[:16])
    per_device = moved(before, after).reshape(8, 8)
    np.testing.assert_array_equal(per_device.sum(1), 2)
    assert len({tuple(row) for row in per_device}) > 1  # by luck of its own


@pytest.mark.parametrize("restart", [0.0, 0.25, 1.0])
def test_a_share_of_the_chains_begins_anew(restart):
    """The sampler stays, and noise is far away: restarted chains are seen at once."""

    def far(key, shape):
        return 100 + jax.random.normal(key, shape)

    alg = jitted(buffer(restart, sampler=lambda key, x, score: x, noise=far))
    state = alg.init(KEY, DATA[:32])
    state = state._replace(chains=Points(jnp.zeros((64, 2))))
    started = 0
    for key in jax.random.split(KEY, 100):
        after, metrics = alg.step(key, jax.tree.map(jnp.copy, state), DATA[:32])
        started += int(moved(state, after).sum())
        np.testing.assert_allclose(metrics["distance"].value, 0.0)  # the jump to the start is not the chain's own
    n = 100 * 32
    assert abs(started - restart * n) <= 4 * np.sqrt(n * restart * (1 - restart))


def test_a_chain_that_begins_anew_has_the_condition_of_an_example():
    alg = persistent_contrastive_divergence(
        Affine(),
        optax.sgd(0.0),
        sampler=lambda key, x, score: x,
        num_chains=64,
        restart=1.0,
        prepare=lambda key, batch: Points(batch["x"], (batch["label"],)),
    )
    zeros = {"x": DATA[:16], "label": np.zeros(16, np.int32)}
    state = alg.init(KEY, zeros)
    after, _ = alg.step(KEY, state, {**zeros, "label": np.ones(16, np.int32)})
    np.testing.assert_array_equal(after.chains.given[0], moved(state, after))


def test_chains_start_at_the_data_or_stay_where_they_were():
    """Without Langevin steps contrastive divergence has nothing to tell."""
    still = functools.partial(langevin, step_size=0.3, num_steps=0)
    alg = contrastive_divergence(Quadratic(), optax.sgd(0.1), sampler=still)
    state = alg.init(KEY, DATA)
    after, metrics = alg.step(KEY, state, DATA)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), state.params, after.params)
    assert isinstance(after, Learner) and isinstance(metrics["contrast"], Mean)


def test_too_few_chains_are_refused():
    alg = buffer(0.0)
    with pytest.raises(BadInput, match="64 chains for 65 examples"):
        alg.step(KEY, alg.init(KEY, DATA[:65]), DATA[:65])
