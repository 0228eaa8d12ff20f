"""Sliced score matching is denoising in expectation, of whatever target, and learns a Gaussian's score."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.core import forward
from adl.diffusion import denoising, preconditioner, process, target
from adl.diffusion.sliced import sliced_errors
from adl.nn.dropout import Dropout
from adl.nn.mlp import TimedMLP

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(4000, 3)) * np.array([0.5, 1.0, 2.0]), "float32")
FULL = ("noise", "flow", "v")  # tried in the full suite alone
WAYS = {
    "noise": (process.preserving(), target.noise),
    "v": (process.cosine, target.angular),
    "flow": (process.straight, target.velocity),
    "EDM": (process.exploding, target.preconditioned(preconditioner.karras(1.0))),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.full) if n in FULL else n for n in WAYS])
def test_it_is_the_noises_error_in_expectation(name):
    way, goal = WAYS[name]
    model, time = TimedMLP((8,)), jax.random.uniform(KEY, (len(X),), minval=0.2, maxval=0.9)
    variables = model.init(KEY, X, time)
    network = lambda x, t: model.apply(variables, x, t)  # noqa: E731

    def error(output, x, n, signal):
        return signal.alpha / signal.sigma * (x - goal.clean(output, signal.alpha * x + signal.sigma * n, signal))

    told = goal._replace(error=error)  # of the noise
    keys = jax.random.split(jax.random.key(1), 50)
    of = {"process": way}
    want = jax.lax.map(lambda key: denoising.denoising_errors(key, network, X, time, target=told, **of), keys)
    found = jax.lax.map(lambda key: sliced_errors(2)(key, network, X, time, target=goal, **of), keys)
    gap = np.asarray(found - want).mean(1)  # of each key
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(keys)) + 1e-5 and want.mean() > 0.1
    np.testing.assert_allclose(found.mean(), want.mean(), rtol=0.02)


def test_units_drop_and_pictures_are_judged_as_rows_are():
    """The same of `[B, 1, 3, 1]`; a unit that drops does so in both passes."""

    class Dropping(nn.Module):
        @nn.compact
        def __call__(self, x, time):
            h = Dropout(0.5)(nn.tanh(nn.Dense(32)(x.reshape(len(x), -1)))) * time[:, None]
            return nn.Dense(3)(h).reshape(x.shape)

    way, time = {"process": process.cosine, "target": target.angular}, jnp.full(20, 0.5)
    x, found = X[:20], []
    for rows in (x, x.reshape(20, 1, 3, 1)):
        params = Dropping().init(KEY, rows, time)["params"]

        def judged(network, rows=rows):
            return sliced_errors()(KEY, network, rows, time, **way)

        found.append(forward(Dropping(), KEY, params, {}, method=judged)[0])
        without = forward(Dropping(), None, params, {}, method=judged)[0]
        assert np.abs(found[-1] - without).max() > 1e-3
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


@pytest.mark.full
def test_a_step_descends_it():
    """By an optimizer that moves along the slope itself, as far as autodiff of the errors says."""
    model = TimedMLP((4,))
    way = {"process": process.cosine, "target": target.angular}
    alg = denoising.denoising(
        model,
        optax.sgd(0.1),
        **way,
        levels=lambda key, size: denoising.Level(jnp.full(size, 0.5)),
        errors=sliced_errors(),
    )
    learner = alg.init(KEY, X[:8])
    moved, metrics = alg.step(jax.random.key(1), learner, X[:8])
    noise_key = jax.random.split(jax.random.key(1), 4)[2]

    def mean(params):
        network = lambda x, t: model.apply({"params": params}, x, t)  # noqa: E731
        return sliced_errors()(noise_key, network, X[:8], jnp.full(8, 0.5), **way).mean()

    value, slope = jax.value_and_grad(mean)(learner.params)
    np.testing.assert_allclose(metrics["loss"].value, value, rtol=1e-5)
    want = jax.tree.map(lambda p, g: p - 0.1 * g, learner.params, slope)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), moved.params, want)
