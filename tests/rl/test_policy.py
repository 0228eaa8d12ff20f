"""The actor-critic begins as the details of PPO say: nearly uniform, orthogonal, actor and critic apart."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.rl.policy import ActorCritic, categorical

KEY = jax.random.key(0)
MODEL = ActorCritic(3, (16, 8))
OBS = jax.random.normal(KEY, (5, 4))
VARIABLES = MODEL.init(KEY, OBS)


def test_kernels_are_orthogonal_with_their_gains():
    for name, gain in (("actor", 0.01), ("critic", 1.0)):
        layers = VARIABLES["params"][name]
        for layer, scale in (("Dense_0", 2**0.5), ("Dense_1", 2**0.5), ("Dense_2", gain)):
            kernel = np.asarray(layers[layer]["kernel"])
            kernel = kernel if kernel.shape[0] > kernel.shape[1] else kernel.T
            np.testing.assert_allclose(kernel.T @ kernel, scale**2 * np.eye(kernel.shape[1]), atol=1e-5)
            assert not layers[layer]["bias"].any()


def test_first_policy_is_nearly_uniform():
    logits, value = MODEL.apply(VARIABLES, OBS)
    assert logits.shape == (5, 3) and value.shape == (5,)
    np.testing.assert_allclose(categorical.entropy(logits), np.log(3), atol=1e-3)


def test_value_does_not_move_the_actor():
    grads = jax.grad(lambda v: MODEL.apply(v, OBS)[1].sum())(VARIABLES)["params"]
    assert not any(leaf.any() for leaf in jax.tree.leaves(grads["actor"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(grads["critic"]))


def test_samples_are_as_likely_as_their_log_probabilities():
    logits = jnp.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    draws = categorical.sample(KEY, jnp.broadcast_to(logits, (20_000, 2, 3)))
    for k in range(3):
        share, want = (draws == k).mean(0), np.exp(categorical.log_prob(jnp.full(2, k), logits))
        np.testing.assert_allclose(share, want, atol=4 * np.sqrt(0.25 / 20_000))
    np.testing.assert_array_equal(categorical.mode(logits), [0, 0])
