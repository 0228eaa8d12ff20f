"""Clusters against classes are scikit-learn's, of the learner's and of the pictures themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import normalize

from adl.core import Learner
from adl.core.lift import Phases
from adl.core.rebuildable import Rebuildable
from adl.nn.mlp import MLP, flat
from adl.selfsup import embedder, evaluation
from adl.selfsup.deepcluster import Clustering

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LABEL = np.repeat(np.arange(3), 20)
# Directions of their own for each class: k-means finds them.
IMAGE = (np.eye(3)[LABEL].reshape(60, 3, 1, 1) + 0.05 * RNG.normal(size=(60, 3, 1, 1))).astype("f")
BATCH = {"image": IMAGE, "label": LABEL}
EMBEDDER = embedder.Embedder(nn.Sequential([flat, MLP((8,))]), MLP((4,)))
CLUSTER = RNG.integers(0, 5, 60)
CENTRES = normalize(RNG.normal(size=(5, 4))).astype("f")
HOW = {"num_classes": 3, "num_clusters": 5, "encode": lambda image: image + 1}


def state(centres):
    learner = Learner.create(EMBEDDER.init(KEY, IMAGE), optax.sgd(0.1))
    bank = Rebuildable.initial(jnp.zeros((60, 4)))
    return Phases(jnp.zeros((), int), Clustering(learner, bank, jnp.asarray(centres), jnp.asarray(CLUSTER)))


def test_clusters_meet_classes_as_often_as_they_do():
    seen = evaluation.clusters(EMBEDDER, BATCH, **HOW)(KEY, state(CENTRES))
    np.testing.assert_array_equal(seen["counts"], contingency_matrix(LABEL, CLUSTER))
    np.testing.assert_allclose(seen["nmi"].value, normalized_mutual_info_score(LABEL, CLUSTER), rtol=1e-4)
    projection = normalize(EMBEDDER.apply(state(CENTRES).state.learner.variables, IMAGE + 1))
    np.testing.assert_allclose(seen["closeness"], (projection * CENTRES[CLUSTER]).sum(1), atol=1e-5)
    np.testing.assert_array_equal(seen["label"], CLUSTER)
    assert evaluation.clusters(EMBEDDER, BATCH, **HOW)(KEY, state(0 * CENTRES))["nmi"].count == 0  # none yet


def test_clusters_of_pixels_find_what_is_apart():
    how = {**HOW, "num_clusters": 3, "encode": lambda image: image}
    assert evaluation.clusters_of_pixels(BATCH, **how)(KEY, ())["nmi"].value == 1
    assert evaluation.clusters_of_pixels({**BATCH, "label": RNG.permutation(LABEL)}, **how)(KEY, ())["nmi"].value < 0.3


def test_references_are_the_pictures_and_a_network_that_has_not_learned():
    found = embedder.references(EMBEDDER, HOW["encode"])
    np.testing.assert_allclose(found["pixels"](KEY, (), IMAGE), IMAGE.reshape(60, 3) + 1)
    drawn = EMBEDDER.apply(EMBEDDER.init(KEY, IMAGE + 1), IMAGE + 1, method="represent")
    np.testing.assert_allclose(found["untrained"](KEY, (), IMAGE), drawn, rtol=1e-6)
