"""DeepCluster: the bank is what the network says, the clusters are k-means', and all devices come to the same ones."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import normalize

from adl.nn.mlp import MLP
from adl.nn.resnet import BatchNorm
from adl.prob.clusters import plus_plus
from adl.selfsup.deepcluster import deepcluster, spherical_kmeans
from adl.selfsup.embedder import Embedder, normalised

KEY = jax.random.key(0)
N, B, K = 48, 16, 4
IMAGES = np.random.default_rng(0).normal(size=(N, 6)).astype("f")
EMBEDDER = Embedder(MLP((8, 8), norm=BatchNorm), MLP((8, 3)))
LOOKS, LEARNS = N // B, 5


def noisy(key, x):
    return x + 0.1 * jax.random.normal(key, x.shape)


def make(axis=None, view=noisy):
    of = {"num_examples": N, "num_clusters": K, "periods": (LOOKS, LEARNS), "view": view, "num_lloyd": 3}
    norm = lambda **options: BatchNorm(axis=axis, **options)  # noqa: E731
    return deepcluster(Embedder(MLP((8, 8), norm=norm), MLP((8, 3))), optax.adam(0.01), **of, axis=axis)


def batch(step):
    index = (np.arange(B) * 3 + step) % N  # not in order: rows go by their index
    return {"image": IMAGES[index], "index": index.astype(np.int32)}


ALGORITHM = make()
STEP = jax.jit(ALGORITHM.step)


def run(num_steps):
    phases, seen = ALGORITHM.init(KEY, batch(0)), []
    for step in range(num_steps):
        phases, metrics = STEP(jax.random.fold_in(KEY, step), phases, batch(step))
        seen.append(metrics)
    return phases.state, seen


def test_bank_is_what_the_network_says_of_each_example():
    state, seen = run(LOOKS)
    want = normalize(EMBEDDER.apply(state.learner.variables, IMAGES))
    np.testing.assert_allclose(state.bank.value, want, atol=1e-5)
    part, _ = run(1)
    held = np.abs(part.bank.value).sum(1) > 0
    assert set(np.flatnonzero(held)) == set(batch(0)["index"])
    assert all(metrics["loss"].count == 0 == metrics["stability"].count for metrics in seen)


def test_clusters_are_scikit_learns_from_the_same_start():
    """Its Lloyd's steps, one at a time, between which centres go back to the sphere."""
    points = normalize(np.random.default_rng(1).normal(size=(200, 5)) + 1)
    weight = np.ones(200, "f")
    got = spherical_kmeans(KEY, points.astype("f"), weight, 6, 8)
    centres = np.asarray(plus_plus(KEY, points.astype("f"), weight, 6), float)
    for _ in range(8):
        centres = normalize(one_step(points, centres))
    np.testing.assert_allclose(got, centres, atol=1e-4)


def one_step(points, centres):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step converges to nothing
        return KMeans(len(centres), init=centres, n_init=1, max_iter=1, tol=0).fit(points).cluster_centers_


def test_labels_are_of_the_nearest_centre_and_stability_is_scikit_learns():
    cycle = LOOKS + 1 + LEARNS
    looked, _ = run(LOOKS)
    first, seen = run(LOOKS + 1)
    np.testing.assert_array_equal(first.label, np.argmax(looked.bank.value @ first.centres.T, 1))
    np.testing.assert_allclose(np.linalg.norm(first.centres, axis=1), np.ones(K), rtol=1e-5)
    assert len(set(first.label.tolist())) == K and seen[-1]["stability"].count == 0, "before, there were no classes"
    second, seen = run(cycle + LOOKS + 1)
    want = normalized_mutual_info_score(first.label, second.label)
    np.testing.assert_allclose(seen[-1]["stability"].value, want, atol=1e-5)


def test_what_a_look_passes_over_has_no_class_until_the_next():
    """It counts in no cluster, in no loss and in no stability."""
    phases = ALGORITHM.init(KEY, batch(0))
    for step in range(LOOKS + 1):
        phases, _ = STEP(jax.random.fold_in(KEY, step), phases, batch(min(step, 1)))
    passed = sorted({*range(N)} - {*batch(0)["index"].tolist(), *batch(1)["index"].tolist()})
    assert np.flatnonzero(phases.state.label == -1).tolist() == passed and len(passed) == N - 2 * B
    _, metrics = STEP(KEY, phases, {"image": IMAGES[passed], "index": np.array(passed, np.int32)})
    assert metrics["loss"].count == 0 == metrics["accuracy"].count
    for step in range(LEARNS + LOOKS + 1):
        phases, metrics = STEP(jax.random.fold_in(KEY, step), phases, batch(max(step - LEARNS, 0)))
    assert (phases.state.label >= 0).all() and 0 < metrics["stability"].value <= 1


def test_the_bank_is_empty_while_the_network_learns():
    """So that a checkpoint has it only while it is filled; every step tells which."""
    phases = first = ALGORITHM.init(KEY, batch(0))
    for step in range(2 * (LOOKS + 1 + LEARNS)):
        is_filled = 0 < step % (LOOKS + 1 + LEARNS) <= LOOKS
        bank = phases.state.bank
        assert bank.is_initial == (not is_filled)
        assert np.array_equal(bank.value, first.state.bank.value) == (not is_filled)
        phases, _ = STEP(jax.random.fold_in(KEY, step), phases, batch(step))


def test_learning_moves_the_network_alone_and_the_rest_moves_all_but_it():
    looked, _ = run(LOOKS)
    begun, _ = run(LOOKS + 1)
    learned, _ = run(LOOKS + 1 + LEARNS)
    jax.tree.map(np.testing.assert_array_equal, looked.learner, begun.learner)
    for name in ("bank", "centres", "label"):
        jax.tree.map(np.testing.assert_array_equal, getattr(begun, name), getattr(learned, name))
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), begun.learner.params, learned.learner.params)
    assert max(jax.tree.leaves(moved)) > 1e-3


def test_loss_is_the_surprise_at_the_pseudo_label():
    alg = make(view=lambda key, x: x)
    phases = alg.init(KEY, batch(0))
    for step in range(LOOKS + 2):
        before = phases.state
        phases, metrics = alg.step(jax.random.fold_in(KEY, step), phases, batch(step))
    now = batch(LOOKS + 1)
    z, _ = EMBEDDER.apply(before.learner.variables, now["image"], mutable=["batch_stats"])
    log_p = jax.nn.log_softmax(normalised(z) @ before.centres.T / 0.1)
    label = before.label[now["index"]]
    np.testing.assert_allclose(metrics["loss"].value, -log_p[jnp.arange(B), label].mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["accuracy"].value, (log_p.argmax(1) == label).mean(), rtol=1e-5)


@pytest.mark.parametrize("phase", ["look", "assign"])
def test_devices_agree_on_bank_and_clusters(phase):
    """Each has its own share of the batch and its own key; what comes out is one state, n times."""
    there = jax.jit(jax.vmap(make("data").step, axis_name="data"))
    want, num_steps = ALGORITHM.init(KEY, batch(0)), LOOKS + (phase == "assign")
    phases = jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), want)
    for step in range(num_steps):
        keys = jax.random.split(jax.random.fold_in(KEY, step), 4)
        shares = jax.tree.map(lambda leaf: leaf.reshape(4, -1, *leaf.shape[1:]), batch(step))
        phases, _ = there(keys, phases, shares)
        # The first device's key is the luck of all.
        want, _ = STEP(keys[0], want, batch(step))
    got = (phases.state.bank.value, phases.state.centres, phases.state.label)
    for many, one in zip(got, (want.state.bank.value, want.state.centres, want.state.label), strict=True):
        for device in range(4):
            np.testing.assert_allclose(many[device], one, atol=1e-5)
