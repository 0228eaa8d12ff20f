"""Deep Q-learning reaches value iteration's Q where a network can say it; what it draws and weighs, by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.core import BadInput, jitted, repeated
from adl.core.teacher import every
from adl.rl.dqn import double, dqn, explorer, maximum
from adl.rl.environment.world import Bounds, Choices, Environment, Step
from adl.rl.networks import QNetwork
from adl.rl.pqn import lambda_targets, pqn
from adl.rl.rainbow import RAINBOW, variant
from adl.rl.replay import prioritised_memory, uniform_memory, with_moves
from adl.rl.rollout import Transition
from adl.rl.worth import by_atoms, expected

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, A, DISCOUNT = 5, 3, 0.9
NEXT = RNG.integers(N, size=(N, A))  # of a deterministic world of N places
REWARD = RNG.uniform(size=(N, A)).astype("f")
ENDS = RNG.uniform(size=(N, A)) < 0.2
ANY = Choices(A)


def places(actions: Choices | Bounds = ANY) -> Environment:
    """Begins anywhere; the observation is which place it is."""

    def reset(key):
        place = jax.random.randint(key, (), 0, N)
        return place, jax.nn.one_hot(place, N)

    def step(key, place, action):
        there = jnp.asarray(NEXT)[place, action]
        reward, ends = jnp.asarray(REWARD)[place, action], jnp.asarray(ENDS)[place, action]
        return Step(there, jax.nn.one_hot(there, N), reward, ends, jnp.zeros((), bool))

    return Environment(reset, step, actions)


def value_iteration() -> np.ndarray:
    q = np.zeros((N, A))
    for _ in range(300):
        q = REWARD + DISCOUNT * ~ENDS * q[NEXT].max(-1)
    return q


class Table(nn.Module):
    """Any number for each place and action: linear in the observation."""

    shape: tuple[int, ...] = (A,)

    @nn.compact
    def __call__(self, obs):
        out = nn.Dense(int(np.prod(self.shape)), use_bias=False, kernel_init=nn.initializers.zeros)(obs)
        return out.reshape(*obs.shape[:-1], *self.shape)


def learned(model: nn.Module | None = None, **options) -> np.ndarray:
    """Q `[N, A]` after 200 steps, in which all is explored."""
    model = model or Table()
    options = {"num_updates": 8, "batch_size": 64, "capacity": 2048, "warmup": 512, "target": every(4), **options}
    play = {"env": places(), "num_envs": 8, "horizon": 4, "epsilon": 1.0, "discount": DISCOUNT}
    alg = jitted(repeated(dqn(model, optax.adam(0.05), **play, **options), 200))
    state, _ = alg.step(KEY, alg.init(KEY, ()), ())
    return options.get("worth", expected).value(model.apply(state.learner.variables, jnp.eye(N)))


WAYS = {
    "dqn": {},
    "double": {"choose": double},
    "prioritised": {"memory": prioritised_memory(beta=1.0)},
}


@pytest.mark.parametrize("name", WAYS)
def test_reaches_value_iteration(name):
    np.testing.assert_allclose(learned(**WAYS[name]), value_iteration(), atol=0.02)


def test_c51_reaches_value_iteration_by_its_means():
    worth = by_atoms(0.0, 10.0, 31)
    np.testing.assert_allclose(learned(Table((A, 31)), worth=worth), value_iteration(), atol=0.3)


def test_n_step_returns_of_random_moves_are_worth_less():
    """They are of the policy that moved, not of the greedy one: below what is best, and exactly so at the last move."""
    q = learned(memory=uniform_memory(3))
    assert (q < value_iteration() + 0.05).all() and (q[ENDS] == pytest.approx(REWARD[ENDS], abs=0.02))


def test_double_differs_from_the_maximum_where_the_two_disagree():
    online, target = jnp.array([[1.0, 2.0]]), jnp.array([[4.0, 3.0]])
    assert maximum(online, target).argmax(-1) == 0 and double(online, target).argmax(-1) == 1


def test_explores_by_epsilon():
    model, obs = Table(), jnp.zeros((30_000, N))
    variables = model.init(KEY, obs)
    action, _ = explorer(model, variables, expected, 0.3)(KEY, obs)
    np.testing.assert_allclose(np.bincount(action, minlength=A) / len(obs), [0.8, 0.1, 0.1], atol=0.01)


def moves(num_steps: int, num_rows: int) -> Transition:
    time = jnp.broadcast_to(jnp.arange(num_steps)[:, None], (num_steps, num_rows))
    no = jnp.zeros(time.shape, bool)
    return Transition(time * 1.0, time, time * 1.0, time * 1.0, no, no, ())


@pytest.mark.parametrize(("num_steps", "length"), [(3, 1), (5, 3), (20, 1), (21, 3)])
def test_priorities_draw_and_weigh_as_a_naive_list(num_steps, length):
    """Windows that are there, and they alone, as often as their priorities say; weights by the paper's formula."""
    rows, places, alpha, beta, n = 2, 8, 0.7, 0.5, 4000
    memory = prioritised_memory(length, alpha=alpha, beta=beta)
    seen = moves(num_steps, rows)
    state = with_moves(memory, memory.create(jax.tree.map(lambda x: x[0], seen), rows * places), seen)
    first = max(num_steps - places, 0)
    begins = np.arange(first, num_steps - length + 1)
    drawn = memory.draw(KEY, state, n, None)
    assert set(np.asarray(drawn.window.action[:, 0]).tolist()) == set(begins.tolist())
    np.testing.assert_allclose(drawn.weight, 1, rtol=1e-5)
    surprise = np.asarray(drawn.window.reward[:, 0] + 5.0 * drawn.row)
    state = memory.judge(state, drawn, jnp.asarray(surprise), None)
    naive = (begins[None] + 5.0 * np.arange(rows)[:, None] + 1e-6) ** alpha
    chance = naive / naive.sum()
    drawn = memory.draw(jax.random.key(1), state, n, None)
    at = np.asarray(drawn.row), np.asarray(drawn.window.action[:, 0]) - first
    counts = np.zeros(chance.shape)
    np.add.at(counts, at, 1)
    assert (abs(counts - n * chance) < 2).all(), "one of each of n equal parts"
    weight = (chance.size * chance) ** -beta
    np.testing.assert_allclose(drawn.weight, (weight / weight[counts > 0].max())[at], rtol=1e-4)
    assert float(state.most) == pytest.approx(max(surprise.max() + 1e-6, 1) ** alpha, rel=1e-5)


def test_pqn_reaches_value_iteration_and_its_targets_end_with_episodes():
    play = {"env": places(), "num_envs": 32, "horizon": 8, "epsilon": 1.0, "discount": DISCOUNT, "lam": 0.0}
    alg = pqn(Table(), optax.adam(0.05), **play, num_minibatches=4)
    alg = jitted(repeated(alg, 300))
    state, _ = alg.step(KEY, alg.init(KEY, ()), ())
    np.testing.assert_allclose(Table().apply(state.learner.variables, jnp.eye(N)), value_iteration(), atol=0.02)


def test_pqn_targets_stop_at_ends():
    variables = {"params": {"Dense_0": {"kernel": jnp.full((N, A), 10.0)}}}
    ask = functools.partial(lambda_targets, Table(), variables, discount=0.5, lam=1.0)
    obs, no = jnp.ones((2, 1, N)) / N, jnp.zeros((2, 1), bool)
    seen = Transition(obs, no.astype(int), jnp.ones((2, 1)), obs, no.at[1].set(True), no, ())
    np.testing.assert_allclose(ask(seen).target, [1.5, 1.0], rtol=1e-5)
    seen = seen._replace(terminated=no, truncated=no.at[0].set(True))
    np.testing.assert_allclose(ask(seen).target, [6.0, 6.0], rtol=1e-5)


@pytest.mark.parametrize("name", ["dqn", *RAINBOW, "rainbow"])
def test_descendants_differ_by_what_they_are_named_after(name):
    """Each is traced, as a step of an agent, and moves the state as it should."""
    found = variant(name, reach=10.0)
    assert found.is_noisy == (name in ("noisy", "rainbow"))
    model = QNetwork(A, (8,), **found.network)
    replay = {"num_updates": 1, "batch_size": 8, "capacity": 64, "warmup": 64, "target": 0.9, **found.learning}
    alg = dqn(model, optax.adam(1e-3), env=places(), num_envs=8, horizon=2, epsilon=0.1, **replay)
    state = jax.eval_shape(alg.init, KEY, ())
    after, _ = jax.eval_shape(alg.step, KEY, state, ())
    assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, state)


def test_an_unknown_descendant_is_refused():
    with pytest.raises(BadInput, match="no value method 'rainbo': there are dqn, .*; did you mean rainbow?"):
        variant("rainbo", reach=1.0)


@pytest.mark.parametrize("factory", [dqn, pqn])
def test_vectors_are_refused(factory):
    env = places(Bounds(np.zeros(1), np.ones(1)))
    more = {"num_updates": 1, "batch_size": 8, "capacity": 64, "warmup": 8, "target": 0.9} if factory is dqn else {}
    with pytest.raises(BadInput, match=f"{factory.__name__} chooses one of several actions, and here they are vectors"):
        factory(Table(), optax.adam(1e-3), env=env, num_envs=8, horizon=1, epsilon=0.1, **more)


@pytest.mark.parametrize("memory", [uniform_memory, prioritised_memory])
def test_there_is_a_window_from_the_first_step_on(memory):
    play = {"env": places(), "num_envs": 4, "horizon": 1, "epsilon": 1.0, "target": 0.0, "num_updates": 1}
    of = {"batch_size": 4, "warmup": 4, "memory": memory(3)}
    alg = dqn(QNetwork(A, (4,)), optax.adam(0.1), **play, **of, capacity=16)
    _, metrics = alg.step(KEY, alg.init(KEY, ()), ())
    assert np.isfinite(float(metrics["loss"].value)) and float(metrics["loss"].value) > 0
    with pytest.raises(BadInput, match="a memory of 2 moves of each copy has no window of 3"):
        dqn(QNetwork(A, (4,)), optax.adam(0.1), **play, **of, capacity=8).init(KEY, ())
