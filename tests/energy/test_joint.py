"""With no weight on the density it is a classifier's loss, and its log-odds are the network's."""

import functools

import flax.linen as nn
import jax
import numpy as np
import optax

from adl.energy.joint import class_log_odds, joint_energy
from adl.energy.tilt import Tilted
from adl.nn.mlp import MLP
from adl.sampling.langevin import langevin

RNG = np.random.default_rng(0)
X, LABEL = RNG.normal(size=(32, 2)).astype("f"), np.arange(32) % 3
NETWORK = MLP((8, 3), activation=nn.silu)
WALK = functools.partial(langevin, step_size=0.3, num_steps=3)


def stepped(weight):
    alg = joint_energy(Tilted(NETWORK, 2.0), optax.sgd(0.1), sampler=WALK, num_chains=32, weight=weight)
    state = alg.init(jax.random.key(0), (X, LABEL))
    return state, *alg.step(jax.random.key(1), state, (X, LABEL))


def test_without_the_density_it_is_the_cross_entropy():
    state, new, metrics = stepped(0.0)
    params = state.learner.params["network"]

    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(NETWORK.apply({"params": params}, X), LABEL).mean()

    np.testing.assert_allclose(metrics["loss"].value, loss(params), rtol=1e-5)
    want = jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), new.learner.params["network"], want)
    odds = class_log_odds(Tilted(NETWORK, 2.0), state.learner.variables, X, num_classes=3)
    theirs = jax.nn.log_softmax(NETWORK.apply({"params": params}, X))
    np.testing.assert_allclose(jax.nn.log_softmax(odds), theirs, atol=1e-5)


def test_with_it_both_are_added():
    _, _, metrics = stepped(2.0)
    np.testing.assert_allclose(
        metrics["loss"].value, metrics["nll"].value + 2 * metrics["contrast"].value, rtol=1e-4, atol=1e-5
    )
    assert abs(metrics["contrast"].value) > 1e-3
