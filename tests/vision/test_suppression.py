"""Suppression in sweeps is the greedy loop, on random boxes with ties, twins, empty boxes and padding."""

import jax
import numpy as np
import pytest

from adl.vision.suppression import suppressed

RNG = np.random.default_rng(1)
CASES, BOXES = 1000, 12


def greedy(box, score, threshold, label=None, mask=None):
    """The loop of the definition, in doubles."""
    box = box.astype(np.float64)

    def iou(a, b):
        sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        shared = np.maximum(sides, 0).prod()
        union = (np.maximum(a[2:] - a[:2], 0)).prod() + (np.maximum(b[2:] - b[:2], 0)).prod() - shared
        return shared / union if union > 0 else 0.0

    stays = []
    for i in sorted(range(len(score)), key=lambda i: (-score[i], i)):
        rivals = [j for j in stays if label is None or label[i] == label[j]]
        if (mask is None or mask[i]) and not any(iou(box[i], box[j]) > threshold for j in rivals):
            stays.append(i)
    return np.isin(np.arange(len(score)), stays)


@pytest.fixture(scope="module")
def boxes():
    corner = RNG.integers(0, 4, (CASES, BOXES, 2))  # whole numbers: overlaps meet the threshold exactly
    box = np.concatenate([corner, corner + RNG.integers(0, 9, (CASES, BOXES, 2))], -1).astype(np.float32)
    score = RNG.integers(0, 6, (CASES, BOXES)).astype(np.float32)
    return box, score, RNG.integers(0, 2, (CASES, BOXES)), (RNG.random((CASES, BOXES)) < 0.8).astype(np.float32)


@pytest.mark.parametrize("kind", ["over all", "by class", "padded"])
def test_is_the_greedy_loop(boxes, kind):
    box, score, label, mask = boxes
    given = {"label": label} if kind == "by class" else {"mask": mask} if kind == "padded" else {}
    found = jax.jit(jax.vmap(lambda box, score, given: suppressed(box, score, threshold=0.5, **given)))(
        box, score, given
    )
    wanted = [greedy(box[i], score[i], 0.5, **jax.tree.map(lambda x, i=i: x[i], given)) for i in range(CASES)]
    np.testing.assert_array_equal(found, wanted)
    assert 0.1 < np.mean(found) < 0.95


def test_a_threshold_of_one_keeps_all_and_none_keeps_no_overlap(boxes):
    box, score = boxes[0][:50], boxes[1][:50]
    keep = jax.vmap(lambda box, score, threshold: suppressed(box, score, threshold=threshold), (0, 0, None))
    assert np.asarray(keep(box, score, 1.0)).all()
    np.testing.assert_array_equal(keep(box, score, 0.0), [greedy(*of, 0.0) for of in zip(box, score, strict=True)])
