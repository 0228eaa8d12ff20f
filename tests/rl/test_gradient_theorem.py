"""The theorem of the policy gradient: estimates by play have the mean that autodiff finds of the exact return."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.rl.a2c import a2c
from adl.rl.reinforce import reinforce
from tests.rl.toys import NUM_SEEN, A, T, small, values

KEY = jax.random.key(3)
LOGITS = np.random.default_rng(1).normal(size=(NUM_SEEN, A)).astype("f")
WRONG = np.random.default_rng(2).normal(size=NUM_SEEN).astype("f")  # of values: must not move the mean


class Table(nn.Module):
    """Logits of their own for each state and time, and values that are given."""

    worth: tuple[float, ...]

    @nn.compact
    def __call__(self, obs):
        return nn.Dense(A, use_bias=False)(obs), obs @ jnp.asarray(self.worth)


def exact(discount: float) -> np.ndarray:
    """`[T S, A]` gradient of the mean return."""
    return np.asarray(jax.grad(lambda logits: values(logits, discount)[0].mean())(jnp.asarray(LOGITS)))


def estimates(factory, worth, num_runs: int = 256, **options) -> np.ndarray:
    """`[R, T S, A]` what one step along the gradient adds to the logits, of independent runs."""
    model = Table(tuple(map(float, np.ravel(worth))))
    alg = factory(
        *(model, optax.sgd(1.0)), env=small(), num_envs=32, horizon=T, value_weight=0.0, entropy_weight=0.0, **options
    )

    def one(key):
        start_key, step_key = jax.random.split(key)
        agent = alg.init(start_key, ())
        agent = agent._replace(learner=agent.learner._replace(params={"Dense_0": {"kernel": jnp.asarray(LOGITS)}}))
        return alg.step(step_key, agent, ())[0].learner.params["Dense_0"]["kernel"] - LOGITS

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(KEY, num_runs)))


def require_mean(found: np.ndarray, want: np.ndarray) -> np.ndarray:
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - want) < 4 * error + 1e-6).all(), np.abs(found.mean(0) - want) / error
    assert np.max(np.abs(want) / error) > 15, "the gradient was to stand out of the noise"
    return error


def test_reinforce_is_unbiased_and_a_baseline_only_takes_away_variance():
    want = exact(0.9)
    plain = require_mean(estimates(reinforce, WRONG, discount=0.9, baseline="none"), want)
    require_mean(estimates(reinforce, WRONG, discount=0.9), want)
    told = require_mean(estimates(reinforce, values(jnp.asarray(LOGITS), 0.9), discount=0.9), want)
    assert (told**2).sum() < 0.7 * (plain**2).sum()


@pytest.mark.parametrize(("lam", "critic"), [(1.0, "wrong"), (0.0, "exact"), (0.7, "exact")])
def test_a2c_is_unbiased_by_whole_returns_or_by_an_exact_critic(lam, critic):
    worth = WRONG if critic == "wrong" else values(jnp.asarray(LOGITS), 1.0)
    require_mean(T * estimates(a2c, worth, discount=1.0, lam=lam), exact(1.0))


def test_a_wrong_critic_that_is_trusted_is_biased():
    found = T * estimates(a2c, WRONG, discount=1.0, lam=0.0)
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert np.max(np.abs(found.mean(0) - exact(1.0)) / error) > 10
