"""Decisions by brute force."""

import jax.numpy as jnp
import numpy as np

from adl.linear import decision

RNG = np.random.default_rng(0)


def test_decisions_cost_least():
    probability = RNG.dirichlet(np.ones(3), size=100)
    loss = np.array([[0.0, 10.0, 1.0, 3.0], [1.0, 0.0, 1.0, 0.5], [2.0, 2.0, 0.0, 1.0]])  # four actions
    got = decision.decide(jnp.asarray(probability), jnp.asarray(loss))
    want = [min(range(4), key=lambda a: sum(p[k] * loss[k, a] for k in range(3))) for p in probability]
    np.testing.assert_array_equal(got, want)


def test_rejecting_is_a_loss_matrix_with_one_more_action():
    """Errors cost 1, rejections 0.3."""
    probability = jnp.asarray(RNG.dirichlet(np.ones(3), size=100))
    loss = jnp.concatenate([1 - jnp.eye(3), jnp.full((3, 1), 0.3)], 1)
    action = decision.decide(probability, loss)
    got = decision.decide_or_reject(probability, 0.7)
    np.testing.assert_array_equal(got, jnp.where(action == 3, decision.REJECT, action))
    assert 0 < (got == decision.REJECT).sum() < 100
    assert (decision.decide_or_reject(probability, 1 / 3 - 1e-6) >= 0).all()
