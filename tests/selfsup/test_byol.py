"""BYOL: the loss is an angle's, the teacher is taught by nobody, and is the average that it says it is."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from scipy.spatial.distance import cosine

from adl.core import tree
from adl.nn.mlp import MLP
from adl.nn.resnet import BatchNorm
from adl.selfsup.byol import Predicting, byol, embedding, regression_loss
from adl.selfsup.embedder import Embedder, normalised

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = {"image": RNG.normal(size=(16, 6)).astype("f")}
EMBEDDER = Embedder(MLP((8, 8), norm=BatchNorm), MLP((8, 4), norm=BatchNorm))
PREDICTOR = MLP((8, 4))


def noisy(key, x):
    return x + 0.1 * jax.random.normal(key, x.shape)


def make(tx=None, **options):
    return byol(Predicting(EMBEDDER, PREDICTOR), tx or optax.sgd(0.1), **{"view": noisy, "decay": 0.9, **options})


def test_loss_is_two_less_two_cosines():
    x, y = RNG.normal(size=(2, 20, 5)).astype("f")
    want = [2 * cosine(a, b) for a, b in zip(x, y, strict=True)]  # SciPy's is 1 - cos
    np.testing.assert_allclose(regression_loss(x, y), want, rtol=1e-4)
    np.testing.assert_allclose(regression_loss(x, 7 * x), np.zeros(20), atol=1e-6)
    np.testing.assert_allclose(regression_loss(x, -x), 4 * np.ones(20), rtol=1e-5)
    np.testing.assert_array_equal(normalised(jnp.zeros((1, 3))), np.zeros((1, 3)))
    assert np.isfinite(jax.grad(lambda x: regression_loss(x, y[:1]).sum())(jnp.zeros((1, 5)))).all()


def test_no_gradient_reaches_the_teacher():
    """The step differentiated by what came with it: nothing that the student becomes depends on the teacher's path."""
    x, y = RNG.normal(size=(2, 3, 5)).astype("f")
    predicted, target = jax.grad(lambda x, y: regression_loss(x, y).sum(), (0, 1))(x, y)
    assert np.abs(predicted).max() > 0.1 and not np.abs(target).any()

    alg = make(view=lambda key, x: x)
    student = alg.init(KEY, BATCH)
    variables = student.learner.variables

    def loss(params, targets):
        """Both views are the picture: the targets are constants, whoever computed them."""
        model = functools.partial(EMBEDDER.apply, mutable=["batch_stats"])
        z, _ = model({**embedding(variables), "params": params["embedder"]}, BATCH["image"])
        return 2 * regression_loss(PREDICTOR.apply({"params": params["predictor"]}, z), targets).mean()

    targets, _ = EMBEDDER.apply(student.teacher.variables, BATCH["image"], mutable=["batch_stats"])
    want = jax.tree.map(lambda p, g: p - 0.1 * g, variables["params"], jax.grad(loss)(variables["params"], targets))
    after, metrics = alg.step(KEY, student, BATCH)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), after.learner.params, want)
    np.testing.assert_allclose(metrics["loss"].value, loss(variables["params"], targets), rtol=1e-5)


def test_teacher_is_the_average_of_students():
    alg = make(decay=lambda step: 0.5 + 0.1 * step)
    student = alg.init(KEY, BATCH)
    want = tree.copy(student.teacher.variables)
    jax.tree.map(np.testing.assert_array_equal, want, embedding(student.learner.variables))
    for step in range(3):
        student, _ = alg.step(jax.random.fold_in(KEY, step), student, BATCH)
        tau = 0.5 + 0.1 * step
        own = embedding(student.learner.variables)
        want = jax.tree.map(lambda average, new, tau=tau: tau * average + (1 - tau) * new, want, own)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), student.teacher.variables, want)
    assert set(student.teacher.variables) == {"params", "batch_stats"} and student.teacher.count == 3
    assert set(student.teacher.variables["params"]) == {"encoder", "projector"}, "the predictor is the student's alone"


def test_the_views_differ_and_each_is_told_from_the_other():
    seen = []

    def watching(key, x):
        seen.append(noisy(key, x))
        return seen[-1]

    alg = make(view=watching, tx=optax.sgd(0.0))
    student = alg.init(KEY, BATCH)
    _, metrics = alg.step(KEY, student, BATCH)
    first, second = seen
    assert np.abs(first - second).max() > 0.01

    def embedded(x):
        return EMBEDDER.apply(embedding(student.learner.variables), x, mutable=["batch_stats"])[0]

    def predicted(x):
        return PREDICTOR.apply({"params": student.learner.params["predictor"]}, embedded(x))

    want = regression_loss(predicted(first), embedded(second)) + regression_loss(predicted(second), embedded(first))
    np.testing.assert_allclose(metrics["loss"].value, want.mean(), rtol=1e-5)


def test_without_a_teacher_or_predictor_of_its_own_it_collapses():
    """What the paper's ablation says: with the teacher a copy, and no predictor, all projections become one."""

    class Identity(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x

    plain = Embedder(MLP((8, 8)), MLP((8, 4)))

    def spread(predictor, decay):
        alg = byol(Predicting(plain, predictor), optax.adam(1e-2), view=noisy, decay=decay)
        student = alg.init(KEY, BATCH)
        step = jax.jit(alg.step)
        for k in range(300):
            student, _ = step(jax.random.fold_in(KEY, k), student, BATCH)
        return normalised(plain.apply(embedding(student.learner.variables), BATCH["image"])).std(0).mean()

    assert spread(Identity(), 0.0) < 0.3 * spread(MLP((8, 4)), 0.99)
