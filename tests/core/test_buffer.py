"""A buffer keeps the newest of each row, draws what is there with equal chances, and is the same on many devices."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.stats import chisquare

from adl.core import Algorithm, BadInput, Mean, buffer, fsdp, jitted, make_mesh, over_devices, over_seeds, sharded, tree

KEY = jax.random.key(0)
B, L = 8, 5


def batch(step: int) -> dict[str, jax.Array]:
    """Each item says its row and its step."""
    return {"row": jnp.arange(B), "x": jnp.stack([jnp.arange(B) * 1.0, jnp.full(B, step * 1.0)], -1)}


def filled(num_steps: int) -> buffer.Buffer:
    ring = buffer.create(batch(0), B * L)
    for step in range(1, num_steps + 1):
        ring = buffer.add(ring, batch(step))
    return ring


@pytest.mark.parametrize("num_steps", [0, 1, L - 1, L, L + 1, 3 * L + 2])
def test_each_row_keeps_its_newest(num_steps):
    """As a deque of bounded length does."""
    ring, want = filled(num_steps), [collections.deque(maxlen=L) for _ in range(B)]
    for step in range(1, num_steps + 1):
        for row in range(B):
            want[row].append((row, step))
    there = buffer.present(ring)
    for row in range(B):
        got = [tuple(x) for x in np.asarray(ring.items["x"][row][there[row]])]
        assert sorted(got) == sorted(want[row])
        assert (ring.items["row"][row][there[row]] == row).all()
    assert ring.count == min(num_steps, L) and ring.position == num_steps % L and buffer.size(ring) == L


@pytest.mark.parametrize("num_steps", [3, 3 * L + 2])
def test_what_is_there_is_drawn_with_equal_chances(num_steps):
    """A chi-squared statistic within its 99.9 % quantile; what is not there, or no longer, is never drawn."""
    got = np.asarray(buffer.sample(KEY, filled(num_steps), 4000)["x"]).astype(int)
    first = max(num_steps - L, 0) + 1
    kinds = num_steps - first + 1
    assert got[:, 1].min() == first and got[:, 1].max() == num_steps
    counts = np.bincount(got[:, 0] * kinds + got[:, 1] - first, minlength=B * kinds)
    assert len(counts) == B * kinds and chisquare(counts).pvalue > 1e-3
    other = buffer.sample(jax.random.key(1), filled(num_steps), 4000)["x"]
    assert (got != other).any()


def test_an_empty_buffer_has_nothing_but_zeros():
    assert not buffer.sample(KEY, filled(0), 16)["x"].any()


def remembering(axis=None) -> Algorithm:
    """Adds what comes, and tells of a few draws."""

    def init(key, x):
        return {"seen": buffer.create(x, B * L)}

    def step(key, state, x):
        seen = buffer.add(state["seen"], x)
        return {"seen": seen}, {"age": Mean.of(x["x"][0, 1] - buffer.sample(key, seen, 16, axis)["x"][:, 1])}

    return Algorithm(init, step, {"seen": buffer.AXES})


def after(alg: Algorithm, num_steps: int = L + 2):
    state = alg.init(KEY, batch(0))
    for step in range(1, num_steps + 1):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, batch(step))
    return state["seen"], metrics["age"]


def test_a_step_of_a_scan_adds_as_a_step_alone():
    scanned, _ = lax.scan(
        lambda ring, x: (buffer.add(ring, x), None),
        buffer.create(batch(0), B * L),
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *[batch(step) for step in range(1, L + 3)]),
    )
    jax.tree.map(np.testing.assert_array_equal, scanned, filled(L + 2))


def test_runs_side_by_side_have_buffers_of_their_own():
    seen, age = after(jitted(over_seeds(remembering(), 3)))
    for seed in range(3):
        jax.tree.map(np.testing.assert_array_equal, tree.take(seen, seed), filled(L + 2))
    assert len(set(np.asarray(age.total).tolist())) > 1, "draws have keys of their own"


@pytest.mark.parametrize("num_devices", [2, 8])
def test_devices_share_the_rows_and_the_state_is_that_of_one(num_devices):
    """So that a run can go on on another number of devices; each draws its share from its own rows."""
    devices = jax.devices()[:num_devices]
    spread, age = after(over_devices(remembering("data"), "data", devices))
    laid, _ = after(sharded(remembering(), make_mesh(devices=devices), fsdp))
    for got in (spread, laid):
        jax.tree.map(np.testing.assert_array_equal, got, filled(L + 2))
        assert got.items["x"].sharding.shard_shape(got.items["x"].shape)[0] == B // num_devices
    assert age.count == 16 and 0 <= age.value < L


def test_adding_moves_nothing_between_devices():
    mesh = make_mesh(devices=jax.devices()[:4])

    def step(key, ring, x):
        return buffer.add(ring, x), {}

    alg = sharded(Algorithm(lambda key, x: buffer.create(x, B * L), step, buffer.AXES), mesh)
    text = alg.step.lower(KEY, jax.eval_shape(alg.init, KEY, batch(0)), batch(0)).compile().as_text()
    assert not [word for word in ("all-gather", "all-reduce", "all-to-all", "collective-permute") if word in text]


def test_what_does_not_fit_is_refused():
    for capacity in (B - 1, B * L + 1):
        with pytest.raises(BadInput, match=f"a buffer of {capacity} for batches of {B}: it must be a multiple of that"):
            buffer.create(batch(0), capacity)
    ring = filled(1)
    for other in (
        jax.tree.map(lambda x: x[:4], batch(0)),
        {"x": batch(0)["x"]},
        {**batch(0), "row": jnp.zeros(B)},
    ):
        with pytest.raises(AssertionError):
            buffer.add(ring, other)
    with pytest.raises(BadInput, match="3 items of a buffer do not divide by 2 devices"):
        jax.vmap(lambda key: buffer.sample(key, ring, 3, "data"), axis_name="data")(jax.random.split(KEY))


@pytest.mark.parametrize("num_steps", [3, L, 3 * L + 2])
def test_windows_are_of_one_row_and_without_a_gap(num_steps):
    """And each that is there is as likely as any other."""
    window = np.asarray(buffer.sample_windows(KEY, filled(num_steps), 4000, 3)["x"]).astype(int)
    assert window.shape == (4000, 3, 2)
    assert (window[:, :, 0] == window[:, :1, 0]).all() and (np.diff(window[:, :, 1], axis=1) == 1).all()
    first = max(num_steps - L, 0) + 1
    kinds = min(num_steps, L) - 2
    assert window[:, 0, 1].min() == first and window[:, 2, 1].max() == num_steps
    counts = np.bincount(window[:, 0, 0] * kinds + window[:, 0, 1] - first, minlength=B * kinds)
    assert len(counts) == B * kinds and (len(counts) == 1 or chisquare(counts).pvalue > 1e-3)


def test_extending_is_adding_one_after_the_other():
    items = jnp.arange(12.0).reshape(6, 2)
    one = buffer.create(items[0], 8)
    for item in items:
        one = buffer.add(one, item)
    jax.tree.map(np.testing.assert_array_equal, buffer.extend(buffer.create(items[0], 8), items), one)
