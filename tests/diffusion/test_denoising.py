"""Published losses as values of one factory, against the losses as their papers write them."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import stats

from adl.core import BadInput
from adl.diffusion import denoising, preconditioner, process, published, schedule, solver, target
from adl.diffusion.denoising import Level
from adl.nn.mlp import TimedMLP

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4, 4, 1)), "float32")
N = jnp.asarray(np.random.default_rng(1).normal(size=X.shape), "float32")
VALUES = {
    "DDPM": (process.discrete(), target.noise, denoising.uniform(1000)),
    "DDPM, cosine": (process.discrete_cosine(), target.noise, denoising.uniform(1000)),
    "VP": (process.preserving(), target.noise, denoising.uniform()),
    "VE": (
        process.exploding,
        target.preconditioned(preconditioner.variance_exploding),
        denoising.log_uniform(0.01, 50.0),
    ),
    "v": (process.cosine, target.angular, denoising.uniform()),
    "flow": (process.straight, target.velocity, denoising.logistic()),
    "data": (process.cosine, target.data, denoising.uniform()),
    "EDM": (process.exploding, target.preconditioned(preconditioner.karras(0.5)), denoising.log_normal(-1.2, 1.2)),
}


class Network(nn.Module):
    """A small network that listens to the time."""

    @nn.compact
    def __call__(self, x, time, condition):
        assert condition is None
        return nn.Dense(1)(nn.tanh(nn.Dense(5)(x) + nn.Dense(5)(time[:, None])[:, None, None]))


def wide(factor):
    return jnp.asarray(factor, "float32")[:, None, None, None]


def stepped(name, weight=1.0):
    """What a step reports as its loss, beside the network before it, the times and the noise that it drew."""
    way, goal, levels = VALUES[name]
    drawn = {"process": way, "target": goal, "levels": lambda key, size: levels(key, size)._replace(weight=weight)}
    alg = denoising.denoising(Network(), optax.sgd(0.1), **drawn)
    learner = alg.init(KEY, X)
    level_key, _, noise_key, _ = jax.random.split(jax.random.key(1), 4)
    _, metrics = alg.step(jax.random.key(1), learner, X)
    time, noise = levels(level_key, len(X)).time, jax.random.normal(noise_key, X.shape)
    return metrics["loss"].value, lambda x, t: Network().apply(learner.variables, x, t, None), time, noise


def test_ddpms_loss_is_the_papers():
    """|n - F(sqrt(abar_i) x + sqrt(1 - abar_i) n, i)|^2, abar by the product, step by step."""
    loss, network, time, n = stepped("DDPM")
    index = np.round(np.asarray(time) * 1000).astype(int) - 1
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[index]
    noisy = wide(np.sqrt(kept)) * X + wide(np.sqrt(1 - kept)) * n
    np.testing.assert_allclose(loss, jnp.square(n - network(noisy, time)).mean(), rtol=1e-4)
    assert len(set(index)) > 3


def test_flow_matchings_loss_is_the_papers():
    """|(n - x) - F((1 - t) x + t n, t)|^2."""
    loss, network, t, n = stepped("flow")
    noisy = (1 - wide(t)) * X + wide(t) * n
    np.testing.assert_allclose(loss, jnp.square((n - X) - network(noisy, t)).mean(), rtol=1e-5)


def test_vs_loss_is_the_papers():
    """|(cos n - sin x) - F(cos x + sin n, t)|^2."""
    loss, network, t, n = stepped("v")
    cos, sin = wide(np.cos(np.pi / 2 * t)), wide(np.sin(np.pi / 2 * t))
    np.testing.assert_allclose(loss, jnp.square(cos * n - sin * X - network(cos * X + sin * n, t)).mean(), rtol=1e-5)


def test_weights_make_a_weighted_mean():
    weight = jnp.arange(6.0)
    loss, network, t, n = stepped("flow", weight)
    errors = jnp.square((n - X) - network((1 - wide(t)) * X + wide(t) * n, t)).mean((1, 2, 3))
    np.testing.assert_allclose(loss, (weight * errors).sum() / weight.sum(), rtol=1e-5)


@pytest.mark.parametrize("name", VALUES)
def test_a_perfect_answer_has_no_error_and_gives_the_data(name):
    way, goal, levels = VALUES[name]
    time = levels(KEY, len(X)).time
    signal = process.Signal(*map(wide, way.signal(time)))
    noisy, zero = signal.alpha * X + signal.sigma * N, jnp.zeros_like(X)
    # The error is linear in the answer with slope 1, so that of 0 says what the answer is.
    answer = -goal.error(zero, X, N, signal)
    np.testing.assert_allclose(goal.error(answer, X, N, signal), 0, atol=1e-4)
    few = wide(np.asarray(way.signal(time).alpha) > 0.05)  # where some of the data is left
    np.testing.assert_allclose(few * goal.clean(answer, noisy, signal), few * X, atol=2e-3)


@pytest.mark.parametrize("name", VALUES)
def test_time_is_where_the_noise_is(name):
    way = VALUES[name][0]
    time = jnp.array([0.01, 0.3, 0.5, 0.77])
    signal = way.signal(time)
    np.testing.assert_allclose(way.time(signal.sigma / signal.alpha), time, rtol=1e-3)


class Exact(nn.Module):
    """The best velocity for data N(0, 0.25): E[n - x | x_t], linear in x_t."""

    @nn.compact
    def __call__(self, x, time, condition):
        t = wide(time)
        variance = 0.25 * jnp.square(1 - t) + jnp.square(t)
        return x * (t - 0.25 * (1 - t)) / variance


def test_any_solver_samples_by_any_target():
    """The exact flow of a Gaussian, sampled as EDM is."""
    denoise = denoising.denoiser(Exact(), {}, None, process=process.straight, target=target.velocity)
    sigmas = schedule.karras(40, sigma_max=80.0)
    x = solver.sample(KEY, denoise, sigmas[0] * jax.random.normal(KEY, (4000, 2, 2, 1)), sigmas, solver.heun)
    np.testing.assert_allclose(x.std(), 0.5, atol=0.01)


def test_levels_have_their_laws():
    steps = denoising.uniform(4)(KEY, 4000).time
    np.testing.assert_array_equal(np.unique(steps), [0.25, 0.5, 0.75, 1.0])
    odds = denoising.logistic(0.5, 2.0)(KEY, 4000).time
    logits = np.log(odds / (1 - odds))
    assert abs(logits.mean() - 0.5) < 0.13 and abs(logits.std() - 2) < 0.1
    logs = np.log(denoising.log_uniform(0.1, 10.0)(KEY, 4000).time)
    assert stats.kstest(logs, "uniform", (np.log(0.1), np.log(100))).pvalue > 1e-3
    assert isinstance(denoising.uniform()(KEY, 3), Level)
    with pytest.raises(BadInput, match="0 < low < high"):
        denoising.log_uniform(2.0, 1.0)


@pytest.mark.parametrize("name", typing.get_args(published.Name))
def test_published_ways_learn_and_denoise_by_their_names(name):
    """What is learned at first, a network of zeros, has errors of about 1 where its target has unit variance."""
    x = jax.random.normal(KEY, (256, 2))
    way = published.way_of(name, 1.0)
    algorithm = denoising.denoising(TimedMLP((4,)), optax.sgd(0.0), **way._asdict())
    learner = algorithm.init(KEY, x)
    still = jax.tree.map(jnp.zeros_like, learner.params)
    _, metrics = algorithm.step(KEY, learner._replace(params=still), x)
    np.testing.assert_allclose(metrics["loss"].value, 2.0 if name == "flow" else 1.0, rtol=0.2)
    seen = denoising.denoiser(TimedMLP((4,)), {"params": still}, None, process=way.process, target=way.target)
    assert jnp.isfinite(seen(x, jnp.float32(20.0))).all() and jnp.abs(seen(x, jnp.float32(0.05)) - x).max() < 0.3
