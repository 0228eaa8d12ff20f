"""Chains on a quadratic energy, whose ends are known, and energies that are told of each class less its constant."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl.core import Learner, average_params
from adl.energy.contrastive_divergence import Follower, Points
from adl.energy.evaluation import Descent
from adl.sampling.langevin import langevin

KEY = jax.random.key(0)
MEAN = jnp.array([[3.0, -1.0], [0.0, 5.0]])


class Bowls(nn.Module):
    """E(x, y) = |x - m_y|^2 / 2 + 10 y."""

    @nn.compact
    def __call__(self, x, label):
        m = self.param("mean", nn.initializers.zeros, (2, 2))
        return 0.5 * jnp.square(x - m[label]).sum(-1) + 10 * label


STATE = Follower(Learner.create({"params": {"mean": MEAN}}, average_params(0.9)), Points(jnp.zeros((4, 2))))
WALK = functools.partial(langevin, step_size=0.3, temperature=1e-6)
DESCENT = Descent(Bowls(), WALK, 240, (2,), decode=lambda x: x + 100)


def test_samples_of_a_class_arrive_in_its_bowl():
    label = jnp.array([0, 1, 1])
    np.testing.assert_allclose(DESCENT.draw(KEY, STATE, label), 100 + MEAN[label], atol=0.01)


def test_path_goes_from_noise_to_the_sample_by_equal_stretches():
    seen = DESCENT.path((1, 0), num_stops=3)(KEY, STATE)
    np.testing.assert_array_equal(seen["step"], [0, 80, 160, 240])
    np.testing.assert_array_equal(seen["label"], [1, 0])
    assert seen["grid"].shape == (2, 4, 2)
    far = jnp.linalg.norm(seen["grid"] - 100 - MEAN[jnp.array([1, 0])][:, None], axis=-1)
    assert (far[:, 0] > 1).all() and (far[:, 1:] < 0.3).all() and (far[:, 3] < 0.01).all()


def test_energies_are_told_less_their_classs_mean():
    label = np.repeat([0, 1], 50)
    train, test = ({"x": np.asarray(MEAN)[label] + shift, "label": label} for shift in (1.0, 2.0))
    probe = DESCENT.energies(train, test, lambda key, batch: Points(batch["x"], (batch["label"],)), num_drawn=20)
    seen = probe(KEY, STATE)
    np.testing.assert_allclose(seen["train"], 0, atol=1e-5)
    np.testing.assert_allclose(seen["test"], 3, rtol=1e-5)  # (2^2 - 1^2) 2 / 2
    np.testing.assert_allclose(seen["samples"], -1, atol=0.01)
    assert seen["noise"].shape == seen["samples"].shape == (20,) and (seen["noise"] > -1).all()
