"""PPO's loss against its formula by hand in NumPy, its bootstrap where an episode is cut, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, data_mesh, jitted, over_devices, sharded
from adl.rl.environment.world import Choices, Environment, Step
from adl.rl.environment.wrappers import time_limit
from adl.rl.on_policy import Moves, judged
from adl.rl.policy import ActorCritic, categorical
from adl.rl.ppo import ppo, ppo_loss
from adl.rl.rollout import collect, last_episodes, start

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
B, A = 12, 3
CLIP, C1, C2 = 0.2, 0.5, 0.01


def sample_moves():
    """Moves whose ratios lie within and beyond the bounds, on both sides, with advantages of both signs."""
    logits, value = RNG.normal(size=(B, A)), RNG.normal(size=B)
    action = RNG.integers(A, size=B)
    log_prob = (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))[np.arange(B), action]
    ratio = np.array([0.5, 0.9, 1.1, 1.6] * 3)
    advantage = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 2.0, -0.5, 0.3, -2.0])
    return logits, value, action, log_prob - np.log(ratio), advantage, RNG.normal(size=B)


def by_hand(logits, value, action, old, advantage, target):
    """Mean loss in double precision, and its gradient derived on paper."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    log_p, rows = np.log(p), np.arange(B)
    ratio = np.exp(log_p[rows, action] - old)
    surrogate = np.minimum(ratio * advantage, np.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage)
    entropy = -(p * log_p).sum(-1)
    loss = (-surrogate + C1 * (value - target) ** 2 / 2 - C2 * entropy).mean()
    # d ratio / d logits = ratio (onehot - p), where the ratio is not clipped away; d H / d logits = -p (log p + H).
    moving = np.where(advantage > 0, ratio < 1 + CLIP, ratio > 1 - CLIP)
    d_logits = -(moving * ratio * advantage)[:, None] * (np.eye(A)[action] - p) + C2 * p * (log_p + entropy[:, None])
    return loss, d_logits / B, C1 * (value - target) / B


def test_loss_and_gradient_are_the_formulas():
    arrays = sample_moves()
    logits, value, action, old, advantage, target = (jnp.asarray(x, x.dtype.str.replace("8", "4")) for x in arrays)
    moves = Moves(jnp.zeros((B, 1)), action, old, advantage, target)

    def loss(logits, value):
        parts = ppo_loss(
            moves,
            categorical.log_prob(action, logits),
            value,
            categorical.entropy(logits),
            clip=CLIP,
            value_weight=C1,
            entropy_weight=C2,
        )
        return parts["loss"].mean(), parts

    (got, parts), grads = jax.value_and_grad(loss, (0, 1), has_aux=True)(logits, value)
    for ours, theirs in zip((got, *grads), by_hand(*arrays), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(parts["clipped"], [1, 0, 0, 1] * 3)
    ratio = np.array([0.5, 0.9, 1.1, 1.6] * 3)
    np.testing.assert_allclose(parts["kl"], ratio - 1 - np.log(ratio), rtol=1e-5, atol=1e-6)
    assert (parts["kl"] >= 0).all()


def treadmill(limit: int, length: int) -> Environment:
    """Reward 1 a step for ever; the observation is the time. Terminates after `length`, is cut after `limit`."""

    def reset(key):
        return jnp.zeros(()), jnp.zeros(1)

    def step(key, state, action):
        return Step(state + 1, (state + 1)[None], jnp.ones(()), state + 1 >= length, jnp.zeros((), bool))

    return time_limit(Environment(reset, step, Choices(2)), limit)


class Constant:
    """A model that values everything at what its variables say."""

    @staticmethod
    def apply(variables, obs):
        return jnp.zeros((*obs.shape[:-1], 2)), jnp.full(obs.shape[:-1], variables)


def act(key, obs):
    return jnp.zeros(len(obs), jnp.int32), (jnp.zeros(len(obs)), jnp.full(len(obs), 10.0))


@pytest.mark.parametrize(("limit", "length", "worth"), [(3, 100, 10.0), (100, 3, 0.0)])
def test_an_episode_that_is_cut_is_worth_what_it_left_behind(limit, length, worth):
    """With lambda 1 the target is the discounted return: after a truncation the value goes on, after a goal not."""
    env = treadmill(limit, length)
    _, seen, _ = collect(KEY, env, act, start(KEY, env, 2), 6)
    moves = judged(Constant, jnp.float32(10.0), seen, discount=0.9, lam=1.0)
    want = [1 + 0.9 * (1 + 0.9 * (1 + 0.9 * worth)), 1 + 0.9 * (1 + 0.9 * worth), 1 + 0.9 * worth] * 2
    np.testing.assert_allclose(moves.target.reshape(6, 2), np.stack([want] * 2, 1), rtol=1e-6)
    np.testing.assert_allclose(moves.advantage, moves.target - 10.0, rtol=1e-5)


def cards(num_actions: int = 3) -> Environment:
    """One move an episode: reward 1 for naming the card that is shown, else 0."""

    def reset(key):
        card = jax.random.randint(key, (), 0, num_actions)
        return card, jax.nn.one_hot(card, num_actions)

    def step(key, state, action):
        return Step(state, jnp.zeros(num_actions), (action == state) * 1.0, jnp.ones((), bool), jnp.zeros((), bool))

    return Environment(reset, step, Choices(num_actions))


def agent(axis=None, **options):
    options = {"num_envs": 16, "horizon": 8, "num_minibatches": 2, **options}
    return ppo(ActorCritic(3, (16,)), optax.adam(0.01), env=cards(), axis=axis, **options)


LIFTS = {
    "jit": lambda: jitted(agent()),
    "pmap": lambda: over_devices(agent("data")),
    "shard": lambda: sharded(agent(), data_mesh()),
}


@pytest.mark.parametrize("name", LIFTS)
def test_learns_to_name_cards(name):
    alg = LIFTS[name]()
    state = alg.init(KEY, ())
    for step in range(60):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, ())
        # Many steps in flight take the threads that each other's collectives wait for, and XLA aborts.
        jax.block_until_ready(metrics)
        if step == 0:
            assert float(metrics["return"].value) < 0.6
            np.testing.assert_allclose(metrics["entropy"].value, np.log(3), atol=0.05)
    assert float(metrics["return"].value) > 0.9
    assert float(metrics["return"].count) == 16 * 8, "every move of every device ends an episode"
    last = last_episodes(state.copies)
    assert float(last["return"].count) == 100 and float(last["return"].value) > 0.9
    if name != "jit":
        assert len(state.copies.obs.sharding.device_set) == 8
        assert not state.copies.obs.sharding.is_fully_replicated


def test_devices_play_games_of_their_own():
    alg = over_devices(agent("data"))
    state, _ = alg.step(KEY, alg.init(KEY, ()), ())
    rows = np.asarray(state.copies.finished.total).reshape(8, 2, -1)
    assert len({row.tobytes() for row in rows}) == 8


def test_moves_must_divide_into_minibatches():
    alg = agent(num_minibatches=3)
    with pytest.raises(BadInput, match="a batch of 128, as a device has it, does not divide into 3 minibatches"):
        jax.eval_shape(alg.step, KEY, jax.eval_shape(alg.init, KEY, ()), ())
