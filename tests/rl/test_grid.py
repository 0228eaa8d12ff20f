"""Gymnasium's tables are the oracle of the grid worlds, entry for entry; and what is played is what the tables say."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.grid import MAPS, GridMap, Spot, grid_named, grid_outcomes, grid_world, walk_map
from adl.rl.mdp import garnet, mdp_of, tabled

KEY = jax.random.key(0)
IDS = {
    "cliff": ("CliffWalking-v1", {}),
    "slippery cliff": ("CliffWalkingSlippery-v1", {}),
    "lake": ("FrozenLake-v1", {}),
    "large_lake": ("FrozenLake8x8-v1", {}),
    "firm lake": ("FrozenLake-v1", {"is_slippery": False}),
}
OURS = {**MAPS, "slippery cliff": MAPS["cliff"]._replace(slip=2 / 3), "firm lake": MAPS["lake"]._replace(slip=0)}


@pytest.mark.parametrize("name", IDS)
def test_tables_are_gymnasiums(name):
    which, options = IDS[name]
    theirs, grid = gymnasium.make(which, **options), OURS[name]
    table, ours = theirs.unwrapped.P, grid_outcomes(grid)
    assert ours.prob.shape[:2] == (len(table), 4)
    np.testing.assert_allclose(ours.start, theirs.unwrapped.initial_state_distrib)
    ends = np.isin(grid.letters, [letter for letter, place in grid.cells.items() if place.then == "end"])
    for s, a in np.ndindex(*ours.prob.shape[:2]):
        if ends[s]:
            assert ours.terminal[s, a].all() and not ours.reward[s, a].any()  # nobody acts there
            continue
        want = sorted((round(p, 9), int(t), float(r), bool(end)) for p, t, r, end in table[s][a])
        found = zip(*(x[s, a] for x in ours[:4]), strict=True)
        assert sorted((round(float(p), 9), int(t), float(r), bool(end)) for p, t, r, end in found) == want, (s, a)
    if theirs.spec.max_episode_steps:
        assert grid.limit == theirs.spec.max_episode_steps


def test_the_expectation_is_of_the_outcomes():
    ours = garnet(0, 5, 3, 4, end=0.3)
    process = mdp_of(ours)
    for s, a in np.ndindex(5, 3):
        row = np.zeros(5)
        for p, t, _, end in zip(*(x[s, a] for x in ours[:4]), strict=True):
            row[t] += 0 if end else p
        np.testing.assert_allclose(process.transition[s, a], row, rtol=1e-5)
        np.testing.assert_allclose(process.reward[s, a], ours.prob[s, a] @ ours.reward[s, a], rtol=1e-5)


def test_play_is_as_the_tables_say():
    """Frequencies of what follows, within five standard errors."""
    ours = garnet(1, 4, 2, 3, end=0.3)._replace(start=np.array([0.5, 0, 0.25, 0.25]))
    env, n = tabled(ours), 20_000
    keys = jax.random.split(KEY, n)
    _, first = jax.vmap(env.reset)(keys)
    assert first.dtype == jnp.int32
    np.testing.assert_allclose(np.bincount(first, minlength=4) / n, ours.start, atol=0.02)
    for s, a in np.ndindex(4, 2):
        after = jax.vmap(env.step, (0, None, None))(keys, jnp.int32(s), jnp.int32(a))
        for k in range(3):
            same = np.isclose(ours.reward[s, a], ours.reward[s, a, k])
            hit = np.isclose(after.reward, ours.reward[s, a, k], rtol=1e-5)
            np.testing.assert_allclose(hit.mean(), ours.prob[s, a, same].sum(), atol=5 * 0.5 / np.sqrt(n))
            assert (np.asarray(after.obs)[hit] == ours.following[s, a, k]).all()
            assert (np.asarray(after.terminated)[hit] == ours.terminal[s, a, k]).all()


def test_walls_are_not_entered_and_the_maze_takes_fourteen_moves():
    """Sutton & Barto 2018, figure 8.2."""
    process = mdp_of(grid_outcomes(MAPS["maze"]))
    reached, moves = process.start > 0, 0
    goal = MAPS["maze"].letters == "G"
    walls = MAPS["maze"].letters == "#"
    while not (process.reward[reached] > 0).any():
        reached, moves = reached | (process.transition[reached].sum((0, 1)) > 0), moves + 1
    assert moves + 1 == 14 and not (reached & (walls | goal)).any()


def test_several_starts_share_the_beginnings():
    grid = GridMap(("S.S", ".G."), {"G": Spot(1, "end")})
    np.testing.assert_allclose(grid_outcomes(grid).start, [0.5, 0, 0.5, 0, 0, 0])


def test_a_walk_ends_on_both_sides():
    env = grid_world(walk_map(3))
    state, obs = env.reset(KEY)
    assert obs == 2
    left = env.step(KEY, env.step(KEY, state, jnp.int32(0)).state, jnp.int32(0))
    right = env.step(KEY, env.step(KEY, state, jnp.int32(1)).state, jnp.int32(1))
    assert (left.obs, left.reward, left.terminated) == (0, -1, True)
    assert (right.obs, right.reward, right.terminated) == (4, 1, True)


def test_bad_maps_are_one_line():
    with pytest.raises(BadInput, match=r"no grid world 'clif': .*; did you mean cliff\?$"):
        grid_named("clif")
    for rows in (("S.", "..."), ("..", "..")):
        with pytest.raises(BadInput, match="rows of one length, and an S where episodes begin"):
            grid_outcomes(GridMap(rows, {}))
    with pytest.raises(BadInput, match="an odd number of cells, and 4 is even"):
        walk_map(4)
