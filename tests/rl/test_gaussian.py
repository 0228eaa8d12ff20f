"""Gaussian policies against SciPy and PyTorch, plain and squashed, and PPO's loss with them by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import torch

from adl.rl.environment.cartpole import cartpole
from adl.rl.on_policy import Moves
from adl.rl.policy import actor_critic, categorical, gaussian, in_unit_box, log_tanh_slope, squashed
from adl.rl.ppo import ppo_loss
from tests.rl.toys import aim

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
B, D = 12, 3
MEAN, LOG_STD, ACTION = RNG.normal(size=(3, B, D)) * [[[1.0]], [[0.5]], [[2.0]]]
NUMBERS = jnp.asarray(np.concatenate([MEAN, LOG_STD], -1), jnp.float32)


def test_log_probabilities_and_entropies_are_scipys():
    theirs = scipy.stats.norm(MEAN, np.exp(LOG_STD))
    found = gaussian.log_prob(jnp.asarray(ACTION, jnp.float32), NUMBERS)
    np.testing.assert_allclose(found, theirs.logpdf(ACTION).sum(-1), rtol=2e-5)
    np.testing.assert_allclose(gaussian.entropy(NUMBERS), theirs.entropy().sum(-1), rtol=1e-5)
    np.testing.assert_array_equal(gaussian.mode(NUMBERS), np.float32(MEAN))


def test_samples_have_their_moments():
    draws = gaussian.sample(KEY, jnp.broadcast_to(NUMBERS[0], (20_000, 2 * D)))
    np.testing.assert_allclose(draws.mean(0), MEAN[0], atol=4 * np.exp(LOG_STD[0]).max() / np.sqrt(20_000))
    np.testing.assert_allclose(draws.std(0), np.exp(LOG_STD[0]), rtol=0.03)


def test_squashed_log_densities_are_torchs():
    low, high = -5.0, 2.0
    action, log_prob = squashed(KEY, NUMBERS, low=low, high=high)
    log_std = low + (high - low) / 2 * (np.tanh(LOG_STD) + 1)
    with torch.no_grad():
        normal = torch.distributions.Normal(torch.tensor(MEAN), torch.tensor(np.exp(log_std)))
        theirs = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
        inner = np.abs(np.asarray(action)) < 0.99  # beyond, the action alone has lost what u was
        want = theirs.log_prob(torch.tensor(np.asarray(action, float)).clip(-1 + 1e-9, 1 - 1e-9)).numpy().sum(-1)
    rows = inner.all(-1)
    assert rows.sum() >= 4
    np.testing.assert_allclose(log_prob[rows], want[rows], rtol=2e-4, atol=2e-4)


def test_squashing_is_finite_far_out():
    u = np.array([-60.0, -9.0, -0.3, 0.0, 0.3, 9.0, 60.0])
    want = np.log(4.0) - 2 * np.abs(u) - 2 * np.log1p(np.exp(-2 * np.abs(u)))
    slope, grads = jax.vmap(jax.value_and_grad(log_tanh_slope))(jnp.asarray(u, jnp.float32))
    np.testing.assert_allclose(slope, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope[2:5], np.log(1 - np.tanh(u[2:5]) ** 2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grads, -2 * np.tanh(u), rtol=1e-5, atol=1e-6)
    far = jnp.full((1, 2), 50.0)
    grads = jax.grad(lambda numbers: squashed(KEY, numbers)[1].sum())(far)
    assert np.isfinite(grads).all()


def test_ppo_loss_of_a_gaussian_is_by_hand():
    clip, c1, c2 = 0.2, 0.5, 0.01
    value, target, std = RNG.normal(size=B), RNG.normal(size=B), np.exp(LOG_STD)
    advantage = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 2.0, -0.5, 0.3, -2.0])
    ratio, z = np.array([0.5, 0.9, 1.1, 1.6] * 3), (ACTION - MEAN) / std
    old = scipy.stats.norm(MEAN, std).logpdf(ACTION).sum(-1) - np.log(ratio)
    moving = np.where(advantage > 0, ratio < 1 + clip, ratio > 1 - clip) * ratio * advantage
    d_numbers = np.concatenate([-moving[:, None] * z / std, -moving[:, None] * (z**2 - 1) - c2], -1) / B
    surrogate = np.minimum(ratio * advantage, np.clip(ratio, 1 - clip, 1 + clip) * advantage)
    entropy = scipy.stats.norm(MEAN, std).entropy().sum(-1)
    want = (-surrogate + c1 * (value - target) ** 2 / 2 - c2 * entropy).mean()
    action, old, advantage, target, value = (
        jnp.asarray(x, jnp.float32) for x in (ACTION, old, advantage, target, value)
    )

    def loss(numbers):
        weights = {"clip": clip, "value_weight": c1, "entropy_weight": c2}
        moves = Moves(jnp.zeros((B, 1)), action, old, advantage, target)
        return ppo_loss(moves, gaussian.log_prob(action, numbers), value, gaussian.entropy(numbers), **weights)[
            "loss"
        ].mean()

    found, grads = jax.value_and_grad(loss)(NUMBERS)
    np.testing.assert_allclose(found, want, rtol=1e-4)
    np.testing.assert_allclose(grads, d_numbers, rtol=1e-3, atol=1e-5)


def test_a_network_fits_its_world():
    model, actions = actor_critic(aim(), (8,))
    variables = model.init(KEY, jnp.zeros((4, 1)))
    numbers, value = model.apply(variables, jnp.ones((4, 1)))
    assert actions is gaussian and numbers.shape == (4, 2) and value.shape == (4,)
    np.testing.assert_array_equal(numbers[:, 1], 0)
    grads = jax.grad(lambda variables: model.apply(variables, jnp.ones((4, 1)))[0][:, 1].sum())(variables)["params"]
    assert not any(leaf.any() for leaf in jax.tree.leaves(grads["actor"])) and float(grads["free"][0]) == 4
    assert actor_critic(cartpole(), (8,))[1] is categorical


@pytest.mark.parametrize(("action", "worth"), [(0.5, 0.25), (-1.0, 1.0), (3.0, 1.0)])
def test_vectors_in_the_unit_box_stand_for_the_bounds(action, worth):
    env = in_unit_box(aim(high=4.0))
    after = env.step(KEY, jnp.zeros(()), jnp.full(1, action))
    np.testing.assert_allclose(after.reward, -worth)
    np.testing.assert_array_equal(env.actions.high, 1)
    same = in_unit_box(env).step(KEY, jnp.zeros(()), jnp.full(1, action))
    np.testing.assert_allclose(same.reward, -worth)
    assert in_unit_box(cartpole()).actions.count == 2
