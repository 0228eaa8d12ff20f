"""The laws that every algorithm obeys: the cases beside each family's tests, in few programs.

Each factory has one compiled init and one compiled step (`Plain`), with which all others are compared: seeds and scans
as one program, fully sharded, and under pmap. What is a law of the lifts rather than of a factory is tested on one
representative of each constructor by default, and on every factory under `-m full`.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

import adl
from adl.core import (
    Algorithm,
    BadInput,
    Mean,
    PyTree,
    Rebuildable,
    data_mesh,
    fsdp,
    jitted,
    layout,
    make_mesh,
    over_devices,
    over_seeds,
    repeated,
    sharded,
    tensor,
    tree,
)
from adl.run.checkpoint import Checkpoints
from tests.case import Case

HERE = Path(__file__).parent
FAMILIES = {
    path.parent.name: importlib.import_module(f"tests.{path.parent.name}.cases") for path in HERE.glob("*/cases.py")
}
CASES: dict[str, Case] = {name: case for family in sorted(FAMILIES) for name, case in FAMILIES[family].CASES.items()}
# One of each constructor: gradients, phases, members, neighbours, sums and moves, chains, chains beside a network.
REPRESENTATIVES = {"descend", "alternate", "ensemble", "beside", "kmeans", "ula", "persistent_contrastive_divergence"}

KEY, OTHER = jax.random.key(7), jax.random.key(8)
KEYS = jax.random.split(KEY, 100)  # of the steps
STEPS = 3  # that lifts are compared on
LAYOUTS = {"replicated": ({"data": 8}, ()), "tensor": ({"data": 4, "model": 2}, (tensor(),))}


def pytest_generate_tests(metafunc):
    """Laws of the lifts see the representatives by default."""
    if "case" not in metafunc.fixturenames:
        return
    few = getattr(metafunc.function, "is_of_lifts", False)
    marks = {name: [pytest.mark.full] if few and name not in REPRESENTATIVES else [] for name in CASES}
    metafunc.parametrize("case", [pytest.param(name, marks=marks[name]) for name in CASES], indirect=True)


def of_lifts(law):
    """Marks a law that a lift must obey for one algorithm of each constructor, if it does for one."""
    law.is_of_lifts = True
    return law


def of_other_rank(columns: list) -> tuple[int, Any]:
    """The first column with one number a row; or, if it has just that, with a row of them."""
    x = columns[0]
    return 0, x[:, None] if x.ndim == 1 else x[(slice(None), *[0] * (x.ndim - 1))]


def of_other_length(columns: list) -> tuple[int, Any] | None:
    """The last of several columns without half of its rows."""
    return (len(columns) - 1, columns[-1][: len(columns[-1]) // 2]) if len(columns) > 1 else None


def of_other_type(columns: list) -> tuple[int, Any]:
    """Labels or pixels that are no integers, or numbers that are."""
    i = next((i for i, x in enumerate(columns) if x.dtype == np.int32), 0)  # labels before pixels
    return i, columns[i].astype(np.int32 if np.issubdtype(columns[i].dtype, np.floating) else np.float32)


WRONG = {"rank": of_other_rank, "length": of_other_length, "type": of_other_type}


class Plain(NamedTuple):
    """A factory's run under jit, and how it was traced."""

    alg: Algorithm
    init: Any  # traced
    step: Any  # traced
    leaves: list[bool]  # whether each leaf of the states that init and step gave, while traced, was an array
    num_traces: int  # of the step, in all of the run
    states: list[PyTree]  # fetched, after 0, 1, ..., STEPS steps
    metrics: list[dict[str, Mean]]  # fetched, of each of the case's steps


@pytest.fixture(scope="module")
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def plain(case) -> Plain:
    alg, leaves, traces = watched(case.make(None))
    alg, batch = jitted(alg), case.batch(0)
    init = alg.init.trace(KEY, batch)
    step = alg.step.trace(KEYS[0], init.out_info, batch)
    states, metrics = run(alg, case, case.steps)
    return Plain(alg, init, step, leaves, len(traces), states, metrics)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """One folder for all factories: each saves a step of its own."""
    opened = Checkpoints(tmp_path_factory.mktemp("checkpoints"), keep=1)
    yield opened
    opened.close()


def watched(alg: Algorithm) -> tuple[Algorithm, list[bool], list[None]]:
    """The algorithm, whether each leaf of its traced states is an array, and a list that grows with each trace of step.

    JAX's own cache may drop what it has, so it is not asked.
    """
    leaves, traces = [], []

    def init(key, batch):
        state = alg.init(key, batch)
        leaves.extend(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
        return state

    def step(key, state, batch):
        traces.append(None)
        state, metrics = alg.step(key, state, batch)
        leaves.extend(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
        return state, metrics

    return Algorithm(init, step, alg.axes), leaves, traces


def run(alg: Algorithm, case: Case, n: int = STEPS, state: PyTree | None = None):
    """n steps from the start: the states after the first of them, and the metrics of each, fetched."""
    state = alg.init(KEY, case.batch(0)) if state is None else state
    states, seen = [fetched(state)], []
    for step in range(n):
        state, metrics = alg.step(KEYS[step], state, case.batch(step))
        seen.append(metrics)
        if step < STEPS:
            states.append(fetched(state))
    return states, jax.device_get(seen)


def fetched(state: PyTree) -> PyTree:
    """A copy on the host, which the next step cannot take; of keys the integers that they hold."""
    return jax.tree.map(lambda leaf: np.array(jax.random.key_data(leaf) if is_key(leaf) else leaf), state)


def is_key(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def is_rebuildable(node: Any) -> bool:
    return isinstance(node, Rebuildable)


def rebuildable(state: PyTree) -> list[Rebuildable]:
    return [node for node in jax.tree.leaves(state, is_leaf=is_rebuildable) if is_rebuildable(node)]


def started(plain: Plain, case: Case, axes: PyTree, mesh: jax.sharding.Mesh, *layouts: layout.Layout) -> PyTree:
    """The initial state, laid out as a lift's own init would."""
    state = plain.alg.init(KEY, case.batch(0))
    return jax.device_put(state, layout.shardings(axes, state, mesh, layouts))


def assert_same(a: Any, b: Any, **tolerance) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **(tolerance or {"rtol": 2e-4, "atol": 1e-5})), a, b)


def assert_equal(a: Any, b: Any) -> None:
    """Bit for bit."""
    assert_same(a, b, rtol=0, atol=0)


def reported(case: Case, metrics: list) -> np.ndarray:
    """The metric that falls, at the steps whose phase reports it."""
    return np.array([float(m[case.falls].value) for m in metrics if float(m[case.falls].count) > 0])


def values(metrics: list) -> list:
    """What every device counts is counted eight times, so the means are compared rather than the sums."""
    return [{name: mean.value for name, mean in m.items() if mean.count > 0} for m in metrics]


def shapes(state: PyTree) -> PyTree:
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), state)


def test_step_keeps_structure_shapes_and_dtypes(plain):
    after, metrics = plain.step.out_info
    assert shapes(plain.init.out_info) == shapes(after)
    assert all(isinstance(mean, Mean) and mean.total.shape == () == mean.count.shape for mean in metrics.values())


def test_state_is_arrays_of_its_own(case, plain):
    """No number of Python's, no leaf twice, and none that belongs to the caller or to the factory."""
    assert plain.leaves and all(plain.leaves)
    program, consts = plain.init.jaxpr.jaxpr, plain.init.jaxpr.consts
    kept = [var for var, const in zip(program.constvars, consts, strict=True) if isinstance(const, jax.Array)]
    fresh = {*program.constvars} - {*kept}  # NumPy's, put on the device at each call
    given = [var for var in program.outvars if isinstance(var, jax.extend.core.Var) and var not in fresh]
    assert len({*program.invars, *kept, *given}) == len(program.invars) + len(kept) + len(given)
    leaves = [leaf for leaf in jax.tree.leaves(plain.alg.init(KEY, case.batch(0))) if leaf.size and not is_key(leaf)]
    pointers = [leaf.unsafe_buffer_pointer() for leaf in leaves]
    assert len(set(pointers)) == len(pointers)


def test_same_key_same_result_and_one_trace(case, plain):
    states, metrics = run(plain.alg, case)
    assert_equal((states, metrics), (plain.states, plain.metrics[:STEPS]))
    assert plain.num_traces == 1


def test_another_construction_is_the_same_program(case, plain):
    alg, batch = jitted(watched(case.make(None))[0]), case.batch(0)
    init = alg.init.trace(KEY, batch)
    step = alg.step.trace(KEYS[0], init.out_info, batch)
    for again, first in ((init, plain.init), (step, plain.step)):
        assert again.lower().as_text() == first.lower().as_text()
        assert_equal(again.jaxpr.consts, first.jaxpr.consts)


def test_seeds_and_steps_are_the_runs_with_these_keys(case, plain):
    """Slice s of `over_seeds` is the run with key s, and `repeated` as many steps."""
    alg = jitted(repeated(over_seeds(case.make(None), 2), STEPS))
    batches = jax.tree.map(lambda *x: np.stack(x), *[case.batch(step) for step in range(STEPS)])
    both = [plain.alg.init(key, case.batch(0)) for key in (OTHER, KEY)]
    state = jax.tree.map(lambda *x: jnp.stack(x) if is_key(x[0]) else np.stack(x), *both)
    keys = jax.random.split(OTHER, (STEPS, 2)).at[:, 1].set(KEYS[:STEPS])
    state, metrics = alg.step(keys, state, batches)
    merged = jax.tree.map(lambda *x: sum(x), *plain.metrics[:STEPS])
    assert_same(tree.take((fetched(state), metrics), 1), (plain.states[STEPS], merged))
    if not case.is_deterministic:
        assert float(metrics[case.falls].total[0]) != float(metrics[case.falls].total[1])


def test_fully_sharded_is_jit(case, plain):
    alg, _, traces = watched(case.make(None))
    mesh = data_mesh()
    found = run(sharded(alg, mesh, fsdp), case, state=started(plain, case, alg.axes, mesh, fsdp))
    assert_same(found, (plain.states, plain.metrics[:STEPS]))
    assert len(traces) == 1


def test_pmap_is_jit(case, plain):
    alg, _, traces = watched(case.make("data"))
    n = STEPS if case.is_deterministic else 12
    states, metrics = run(over_devices(alg), case, n, started(plain, case, alg.axes, data_mesh()))
    if case.is_deterministic:
        assert_same(states, plain.states)
        assert_same(values(metrics), values(plain.metrics[:n]))
    else:
        ours, theirs = reported(case, metrics), reported(case, plain.metrics[:n])
        spread = np.std(ours, ddof=1) + np.std(theirs, ddof=1) + 0.02 * abs(np.mean(ours))
        assert abs(np.mean(ours) - np.mean(theirs)) < 4 * spread / np.sqrt(len(ours))
    assert len(traces) == 1


def test_asks_for_an_axis_exactly_where_it_reduces(case, plain):
    """A step that was built for a mapped axis cannot be traced outside of one; one built without was, in `plain`."""
    step = functools.partial(jax.eval_shape, case.make("data").step, KEY, plain.init.out_info, case.batch(0))
    if case.reduces:
        with pytest.raises(NameError, match="unbound axis name"):
            step()
    else:
        step()


@of_lifts
def test_pmap_refuses_what_was_built_without_an_axis(case, plain):
    """Devices would drift apart. Of `sgld` each has chains of its own, which do not know each other, and of `latent
    process` a share does not fit the whole.
    """
    if case.reduces and not any(case is CASES[name] for name in ("sgld", "latent process")):
        with pytest.raises(BadInput, match="would differ from device to device"):
            jax.eval_shape(over_devices(case.make(None)).step, KEY, plain.init.out_info, case.batch(0))


def test_resume_is_the_straight_run_bit_for_bit(case, plain, checkpoints):
    state, step = plain.alg.init(KEY, case.batch(0)), (checkpoints.latest() or 0) + 1
    for i in range(STEPS - 1):
        state, _ = plain.alg.step(KEYS[i], state, case.batch(i))
    checkpoints.save(step, state)
    checkpoints.wait()
    # A run resumes with its own key; all but what that makes anew must come from the checkpoint.
    own, other = (plain.alg.init(key, case.batch(0)) for key in (KEY, OTHER))
    like = jax.tree.map(lambda a, b: a if is_rebuildable(a) else b, own, other, is_leaf=is_rebuildable)
    restored = checkpoints.restore(step, like)
    # Bound to no device, as what init gave, since the step would be compiled once more for what is.
    restored = jax.tree.map(lambda leaf: leaf if is_key(leaf) else np.asarray(leaf), restored)
    resumed, _ = plain.alg.step(KEYS[STEPS - 1], restored, case.batch(STEPS - 1))
    assert_equal(fetched(resumed), plain.states[STEPS])
    for state in plain.states:
        for now, first in zip(rebuildable(state), rebuildable(plain.states[0]), strict=True):
            if now.is_initial:
                assert_equal(now.value, first.value)


def test_progress(case, plain):
    seen = reported(case, plain.metrics)
    fifth = max(len(seen) // 5, 1)
    change = seen[-fifth:].mean() - seen[:fifth].mean()
    assert change > 0 if case.rises else change < 0


def test_wrong_batches_are_told_in_one_line(case, plain):
    """Of the wrong rank, of unequal lengths, of the wrong type, and without a column: where it is traced, and of what
    the step reads.
    """
    state, batch = plain.init.out_info, case.batch(0)
    leaves, tree = jax.tree.flatten(batch)
    program = plain.step.jaxpr.jaxpr
    used = {var for eqn in program.eqns for var in eqn.invars if isinstance(var, jax.extend.core.Var)}
    read = [i for i, var in enumerate(program.invars[len(program.invars) - len(leaves) :]) if var in used]
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(batch)]
    read.sort(key=lambda i: "mask" in names[i])  # weights last: they may be of any type
    for wrong, spoil in WRONG.items():
        found = spoil([leaves[i] for i in read]) if read and wrong not in case.takes else None
        if found is None:
            continue
        spoiled = [*leaves]
        spoiled[read[found[0]]] = found[1]
        spoiled = tree.unflatten(spoiled)
        with pytest.raises((BadInput, AssertionError)) as told:
            jax.eval_shape(case.make(None).step, KEY, state, spoiled)
        assert "\n" not in str(told.value).strip(), wrong
    columns = {names[i].split("'")[1] for i in read if isinstance(batch, dict)}
    for column in columns - {name for name in columns if name.endswith("mask")}:
        less = {name: value for name, value in batch.items() if name != column}
        with pytest.raises(BadInput, match=f"a batch needs {column}.*; this has "):
            jax.eval_shape(case.make(None).step, KEY, state, less)


@of_lifts
def test_jit_is_raw(case, plain):
    alg = case.make(None)
    _, metrics = alg.step(KEYS[0], alg.init(KEY, case.batch(0)), case.batch(0))
    assert_same(metrics, plain.metrics[0])


@of_lifts
@pytest.mark.parametrize("laid", LAYOUTS)
def test_other_layouts_are_jit(case, plain, laid):
    axes, layouts = LAYOUTS[laid]
    alg, _, traces = watched(case.make(None))
    assert_same(run(sharded(alg, make_mesh(axes), *layouts), case), (plain.states, plain.metrics[:STEPS]))
    assert len(traces) == 1


@of_lifts
def test_lifts_begin_as_jit(case, plain):
    """The init of each lift, where the laws above took that of jit."""
    batch = case.batch(0)
    seeds = jitted(over_seeds(case.make(None), 2)).init(jnp.stack([OTHER, KEY]), batch)
    assert_same(fetched(tree.take(seeds, 1)), plain.states[0])
    assert_same(fetched(sharded(case.make(None), data_mesh(), fsdp).init(KEY, batch)), plain.states[0])
    assert_same(fetched(over_devices(case.make("data")).init(KEY, batch)), plain.states[0])


def factories() -> dict[str, Callable]:
    """Public functions that say they return an algorithm, by name; not those of `core`, which lift, and of `run`."""
    found = {}
    for module in pkgutil.walk_packages(adl.__path__, "adl."):
        if module.name.split(".")[1] not in ("core", "run"):
            for name, fn in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
                returned = inspect.signature(fn).return_annotation
                is_own = fn.__module__ == module.name and not name.startswith("_")
                if is_own and Algorithm in (returned, typing.get_origin(returned)):
                    found[f"{module.name}.{name}"] = inspect.unwrap(fn)
    return found


def test_every_factory_has_a_case():
    """One that builds it: told by what runs while the cases are built."""
    ran = set()
    sys.setprofile(lambda frame, event, _: ran.add(frame.f_code))
    try:
        for case in CASES.values():
            case.make(None)
    finally:
        sys.setprofile(None)
    known = factories()
    assert len(known) > 50
    assert not [name for name, fn in known.items() if fn.__code__ not in ran], "without a case in tests/*/cases.py"
