"""An ensemble's scores are those of the mean of its members' probabilities, whichever way one comes to them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from scipy import special
from sklearn.metrics import accuracy_score, log_loss

from adl import data
from adl.core import Learner
from adl.measure import calibration
from adl.nn.mlp import flat
from adl.uncertainty import evaluation

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
M, N, K = 3, 40, 4
IMAGE = RNG.integers(0, 256, (N, 2, 2, 1), dtype=np.uint8)
LABEL = RNG.integers(0, K, N)
TEST = data.Split({"image": IMAGE, "label": LABEL})
MODEL = nn.Sequential([flat, nn.Dense(K)])
MEMBERS = jax.vmap(lambda key: MODEL.init(key, IMAGE / 255))(jax.random.split(KEY, M))
LEARNER = Learner(MEMBERS["params"], (), {})
FACTORS = np.array([1.0, 3.0, 9.0])
SEEN = evaluation.answers(MODEL, TEST, lambda image: jnp.stack([f * image / 255 for f in FACTORS]))


def member(m, factor):
    """Probabilities of one member, by hand."""
    params = jax.tree.map(lambda leaf: leaf[m], LEARNER.params)
    return special.softmax(np.asarray(MODEL.apply({"params": params}, factor * IMAGE / 255), float), -1)


PROBABILITY = np.stack([[member(m, factor) for factor in FACTORS] for m in range(M)])  # [M, A, N, K]


def test_answers_are_each_members_to_each_view():
    logits = SEEN(KEY, LEARNER)["logits"]
    assert logits.shape == (N, M, len(FACTORS), K)
    np.testing.assert_allclose(special.softmax(logits, -1), PROBABILITY.transpose(2, 0, 1, 3), rtol=1e-4)


def test_scores_are_of_the_mean_of_probabilities():
    seen = evaluation.scores(SEEN, LABEL)(KEY, LEARNER)
    together, each = PROBABILITY[:, 0].mean(0), PROBABILITY[:, 0]
    np.testing.assert_allclose(seen["nll"].value, log_loss(LABEL, together), rtol=1e-4)
    np.testing.assert_allclose(seen["member_nll"].value, np.mean([log_loss(LABEL, p) for p in each]), rtol=1e-4)
    gain = accuracy_score(LABEL, together.argmax(1)) - np.mean([accuracy_score(LABEL, p.argmax(1)) for p in each])
    np.testing.assert_allclose(seen["accuracy_gain"].value, gain, atol=1e-6)
    np.testing.assert_allclose(seen["nll_gain"].value, seen["member_nll"].value - seen["nll"].value, atol=1e-6)
    named = each.argmax(-1)
    apart = np.mean([named[a] != named[b] for a, b in itertools.combinations(range(M), 2)])
    np.testing.assert_allclose(seen["disagreement"].value, apart, atol=1e-6)
    for k, said in enumerate((each[0], together)):
        bins = calibration.reliability(jnp.asarray(said), jnp.asarray(LABEL))
        np.testing.assert_allclose(seen["bins"][:, k], np.stack(bins), atol=1e-4)
        np.testing.assert_allclose(seen["error"][k], calibration.expected_calibration_error(bins), atol=1e-5)


def test_subsets_end_with_the_whole_ensemble_and_begin_with_each_member():
    seen = evaluation.subsets(SEEN, LABEL, num_members=M)(KEY, LEARNER)
    whole = evaluation.scores(SEEN, LABEL)(KEY, LEARNER)
    for name in ("accuracy", "nll", "brier", "ece"):
        assert seen[name].shape == (M, 3) and np.isnan(seen[name][2]).tolist() == [False, True, True]
        np.testing.assert_allclose(seen[name][2, 0], whole[name].value, rtol=1e-5)
        np.testing.assert_allclose(seen[name][0].mean(), whole[f"member_{name}"].value, rtol=1e-5)
    pairs = [log_loss(LABEL, PROBABILITY[[a, b], 0].mean(0)) for a, b in itertools.combinations(range(M), 2)]
    np.testing.assert_allclose(seen["nll"][1], pairs, rtol=1e-4)


def test_too_many_subsets_are_drawn():
    drawn = evaluation.choices(20, 5)
    assert drawn.shape == (evaluation.SUBSETS, 5) and all(len(set(row)) == 5 for row in drawn)
    assert len(evaluation.choices(5, 2)) == 10


def test_shifted_views_by_hand():
    how = {"shift": FACTORS, "limit": 3.0, "shown": [4, 7]}
    seen = evaluation.shifted(SEEN, LABEL, **how)(KEY, LEARNER)
    together = PROBABILITY.mean(0)
    np.testing.assert_allclose(seen["confident"][0], together.max(-1).mean(-1), rtol=1e-4)
    np.testing.assert_allclose(seen["confident"][1], PROBABILITY.max(-1).mean((0, 2)), rtol=1e-4)
    np.testing.assert_allclose(seen["right"][1], (PROBABILITY.argmax(-1) == LABEL).mean((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(seen["said"], together[:, [4, 7]], rtol=1e-4)
    entropy = special.entr(together).sum(-1).mean(-1)
    np.testing.assert_allclose(seen["aleatoric"] + seen["epistemic"], entropy, rtol=1e-4)
    within = np.concatenate(together[:2])
    np.testing.assert_allclose(seen["nll"].value, log_loss(np.tile(LABEL, 2), within), rtol=1e-4)
    np.testing.assert_allclose(seen["rank_correlation"].value, 1, rtol=1e-6)  # the larger the logits, the surer
