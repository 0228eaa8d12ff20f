"""Lifts: what the laws of the contract do not reach. Split state, phases, sweeps, traces, layouts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from adl.core import (
    Algorithm,
    BadInput,
    Learner,
    Mean,
    alternate,
    beside,
    data_mesh,
    descend,
    ensemble,
    fold_in,
    fsdp,
    in_turn,
    jitted,
    over_devices,
    over_seeds,
    over_values,
    probe,
    repeated,
    reporting,
    sharded,
    step_keys,
    trace,
    tree,
    until_still,
)

KEY = jax.random.key(0)
BATCH = np.random.default_rng(0).normal(size=(16, 4)).astype("f")


def chains(axis=None):
    """Chains split over devices beside a replicated scale: the shape of an energy model."""

    def init(key, batch):
        return {"scale": jnp.ones(()), "chains": jax.random.normal(key, (3, 16))}

    def step(key, state, batch):
        moved = state["chains"] * 0.5 + state["scale"]
        mean = jnp.mean(moved)
        mean = jax.lax.pmean(mean, axis) if axis else mean
        return {"scale": mean, "chains": moved}, {"mean": Mean.of(moved)}

    return Algorithm(init, step, {"scale": None, "chains": 1})


def regression(rate, axis=None):
    tx = optax.sgd(rate)

    def loss(key, params, extras, batch):
        return {"loss": Mean.of((batch @ params["w"] - 1.0) ** 2)}, extras

    def init(key, batch):
        return Learner.create({"params": {"w": jax.random.normal(key, (4,))}}, tx)

    return Algorithm(init, descend(loss, tx, axis))


def run(alg, steps=3):
    state = alg.init(KEY, BATCH)
    for step in range(steps):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, BATCH)
    return state, metrics


@pytest.mark.parametrize("name", ["pmap", "replicated", "fsdp"])
def test_split_state_is_split_and_right(name):
    lifted = {
        "pmap": lambda: over_devices(chains("data")),
        "replicated": lambda: sharded(chains(), data_mesh()),
        "fsdp": lambda: sharded(chains(), data_mesh(), fsdp),
    }[name]()
    want, want_metrics = run(chains())
    got, metrics = run(lifted)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), (want, want_metrics), (got, metrics))
    assert got["chains"].sharding.shard_shape(got["chains"].shape) == (3, 2)
    assert got["scale"].sharding.is_fully_replicated


def test_fsdp_takes_an_eighth_of_the_memory():
    def init(key, batch):
        return {"w": jax.random.normal(key, (24, 16)), "odd": jnp.zeros(7)}

    alg = sharded(Algorithm(init, lambda key, state, batch: (state, {})), data_mesh(), fsdp)
    state = alg.init(KEY, BATCH)
    assert state["w"].sharding.shard_shape((24, 16)) == (3, 16)
    assert state["odd"].sharding.is_fully_replicated
    assert alg.step(KEY, state, BATCH)[0]["w"].sharding.shard_shape((24, 16)) == (3, 16)


def test_devices_draw_different_numbers():
    alg = Algorithm(lambda key, batch: jnp.zeros(16), lambda key, s, b: (s + jax.random.normal(key, s.shape), {}), 0)
    state, _ = run(over_devices(alg), steps=1)
    assert len(np.unique(state)) == 16


@pytest.mark.parametrize("lifted", [over_devices, lambda alg: sharded(alg, data_mesh())])
def test_a_batch_that_does_not_divide_is_refused(lifted):
    alg = lifted(regression(0.1, "data"))
    state = alg.init(KEY, BATCH)
    with pytest.raises(BadInput, match="batch of 15 does not divide by 8"):
        alg.step(KEY, state, BATCH[:15])


def test_slice_of_a_sweep_is_the_run_with_that_value():
    rates = np.array([0.01, 0.1, 0.3], "f")
    swept, metrics = run(jitted(over_values(regression, rates)))
    for index, rate in enumerate(rates):
        alone, alone_metrics = run(regression(float(rate)))
        np.testing.assert_allclose(swept.params["w"][index], alone.params["w"], rtol=1e-5)
        np.testing.assert_allclose(metrics["loss"].value[index], alone_metrics["loss"].value, rtol=1e-5)


def test_members_are_the_runs_of_their_keys_with_one_result():
    alone, each = run(over_seeds(regression(0.1), 3))
    together, merged = run(jitted(ensemble(regression(0.1), 3)))
    np.testing.assert_allclose(together.params["w"], alone.params["w"], rtol=1e-5)
    assert len(np.unique(each["loss"].value)) == 3
    np.testing.assert_allclose(merged["loss"].value, each["loss"].value.mean(), rtol=1e-5)


def test_algorithms_in_turn_are_each_alone_with_one_result():
    """Each with its value and its keys; a split state is split behind the values."""
    rates = np.array([0.01, 0.1, 0.3], "f")
    alg = in_turn(regression, rates)
    together, merged = run(jitted(alg))
    loss = []
    for index, rate in enumerate(rates):
        own = regression(float(rate))
        learner = own.init(jax.random.split(KEY, 3)[index], BATCH)
        for _ in range(3):
            learner, alone = own.step(KEY, learner, BATCH)
        np.testing.assert_allclose(together.params["w"][index], learner.params["w"], rtol=1e-5)
        loss.append(alone["loss"].value)
    np.testing.assert_allclose(merged["loss"].value, np.mean(loss), rtol=1e-5)
    assert merged["loss"].count == 48
    assert in_turn(lambda value: chains(), rates).axes == {"scale": None, "chains": 2}


def test_a_conditional_in_turn_runs_one_branch():
    def make(which):
        def step(key, state, batch):
            branches = [jnp.sin, lambda x: lax.while_loop(lambda x: x >= 0, lambda x: x, x)]  # the second never ends
            return lax.switch(which, branches, state), {"x": Mean.of(state)}

        return Algorithm(lambda key, batch: jnp.ones(()), step)

    state, _ = run(jitted(in_turn(make, jnp.zeros(2, int))), steps=2)
    np.testing.assert_allclose(state, np.sin(np.sin(np.ones(2))), rtol=1e-6)


def test_algorithms_beside_each_other_are_each_alone():
    """Each with its keys, its split state and its metrics; those that several have are merged."""
    alg = beside({"slow": regression(0.01), "fast": regression(0.1), "chains": chains()})
    assert alg.axes == {"slow": None, "fast": None, "chains": {"scale": None, "chains": 1}}
    state, metrics = run(jitted(alg))
    loss = []
    for index, (name, own) in enumerate({"slow": regression(0.01), "fast": regression(0.1)}.items()):
        learner = own.init(jax.random.split(KEY, 3)[index], BATCH)
        for _ in range(3):
            learner, alone = own.step(KEY, learner, BATCH)
        np.testing.assert_allclose(state[name].params["w"], learner.params["w"], rtol=1e-5)
        np.testing.assert_allclose(metrics[f"{name}_loss"].value, alone["loss"].value, rtol=1e-5)
        loss.append(alone["loss"].value)
    np.testing.assert_allclose(metrics["loss"].value, np.mean(loss), rtol=1e-5)
    np.testing.assert_allclose(metrics["chains_mean"].value, metrics["mean"].value)
    assert metrics["loss"].count == 32


def test_lifts_compose():
    """Scan of pmap of a sweep of seeds, with split state behind two more axes."""
    alg = over_values(lambda value: over_seeds(chains("data"), 2), jnp.ones(3))
    assert alg.axes == {"scale": None, "chains": 3}
    alg = jitted(repeated(over_devices(alg), 2))
    batches = np.stack([BATCH, BATCH])
    state = alg.init(KEY, batches)
    state, _ = alg.step(jax.random.split(KEY, 2), state, batches)
    want, _ = run(over_seeds(chains(), 2), steps=2)
    assert state["chains"].shape == (3, 2, 3, 16)
    np.testing.assert_allclose(state["chains"][1], want["chains"], rtol=1e-5)


def test_phases_alternate_and_report_only_themselves():
    def add(key, state, batch):
        return state + 1, {"add": Mean.of(batch)}

    def double(key, state, batch):
        return state * 2, {"double": Mean.of(batch)}

    alg = jitted(alternate(lambda key, batch: jnp.zeros(()), (add, double), (2, 1)))
    state, seen, counted = alg.init(KEY, BATCH), [], []
    for _ in range(6):
        state, metrics = alg.step(KEY, state, BATCH)
        seen.append(float(state.state))
        counted.append((float(metrics["add"].count) > 0, float(metrics["double"].count) > 0))
    assert seen == [1, 2, 4, 5, 6, 12]
    assert counted == [(True, False), (True, False), (False, True)] * 2


def test_of_what_is_reported_only_the_named_stays():
    seen = {name: Mean.of(jnp.ones(())) for name in ("potential", "hmc_acceptance", "hmc_error", "acceptance")}
    alg = reporting(Algorithm(lambda *_: 0, lambda key, s, b: (s + 1, seen)), "potential", "*_acceptance")
    state, metrics = alg.step(KEY, alg.init(KEY, BATCH), BATCH)
    assert state == 1 and metrics.keys() == {"potential", "hmc_acceptance"}


def test_trace_keeps_the_path():
    alg = Algorithm(lambda key, batch: jnp.zeros(()), lambda key, s, b: (s + jax.random.normal(key), {}))
    state, path = trace(alg, 5, view=lambda s: s * 2)(KEY, jnp.zeros(()))
    steps = [jax.random.normal(k) for k in jax.random.split(KEY, 5)]
    np.testing.assert_allclose(path, 2 * np.cumsum(steps), rtol=1e-5)
    np.testing.assert_allclose(state, sum(steps), rtol=1e-5)


def test_keys_of_steps_do_not_depend_on_the_call():
    root = jax.random.split(KEY, 3)
    many = step_keys(root, 4, n=3)
    for offset in range(3):
        want = fold_in(root, 4 + offset)
        assert (jax.random.key_data(many[offset]) == jax.random.key_data(want)).all()
    assert (jax.random.key_data(many[0][1]) == jax.random.key_data(jax.random.fold_in(root[1], 4))).all()


def test_probes_follow_their_runs():
    states, _ = run(over_seeds(regression(0.1), 3))
    each = probe.jitted(probe.over_seeds(lambda key, state: {"w": state.params["w"]}))
    np.testing.assert_array_equal(each(jax.random.split(KEY, 3), states)["w"], states.params["w"])
    scaled = probe.over_values(lambda value: lambda key, state: {"w": state * value}, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(scaled(KEY, jnp.ones((2, 4)))["w"], tree.take(jnp.array([[[1.0] * 4, [2.0] * 4]]), 0))


def test_until_still_is_the_fixed_point_and_how_many_steps_it_took():
    """Heron's square root, whose error squares at each step; and a step that never rests."""
    heron = Algorithm(lambda key, batch: {"x": batch}, lambda key, s, batch: ({"x": (s["x"] + batch / s["x"]) / 2}, {}))
    state, count = jax.jit(until_still(heron))(KEY, jnp.array([2.0, 9.0]))
    np.testing.assert_allclose(state["x"], [2**0.5, 3], rtol=1e-6)
    assert 4 <= count <= 7
    restless = Algorithm(lambda key, batch: batch, lambda key, s, batch: (s + 1, {}))
    state, count = until_still(restless, max_steps=7)(KEY, jnp.zeros(()))
    assert state == count == 7
    coarse, sooner = until_still(heron, tolerance=0.1)(KEY, jnp.array([2.0, 9.0]))
    assert sooner < 5 and np.abs(coarse["x"] - np.sqrt([2, 9])).max() < 0.3
