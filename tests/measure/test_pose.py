"""Shares of right joints and errors are those of a loop over pictures and joints."""

import math

import jax
import numpy as np
import pytest

from adl.measure import pose

RNG = np.random.default_rng(0)
JOINTS = RNG.uniform(0, 40, (30, 14, 2)).astype("f")
PREDICTED = (JOINTS + RNG.normal(size=JOINTS.shape) * 4).astype("f")
VISIBLE = RNG.random((30, 14)) < 0.7
KNOWN = VISIBLE | (RNG.random((30, 14)) < 0.6)
JOINTS[3, 9] = JOINTS[3, 2]  # a torso of no length


def looped(known, counts, ends, threshold, of=range(14)):
    """Right joints, joints, summed error, joints with an error, pictures left out."""
    right = number = left_out = 0
    errors = []
    for n in range(len(JOINTS)):
        first, last = (JOINTS[n, end] for end in ends)
        length = math.dist(first, last)
        has_torso = known[n, ends[0]] and known[n, ends[1]] and length > 0
        left_out += not has_torso
        for joint in of:
            if not counts[n, joint]:
                continue
            error = math.dist(PREDICTED[n, joint], JOINTS[n, joint])
            errors.append(error)
            if has_torso:
                number += 1
                right += error <= threshold * length
    return right, number, sum(errors), len(errors), left_out


@pytest.mark.parametrize(("ends", "threshold"), [(pose.TORSO, 0.2), (pose.HEAD, 0.5)], ids=["pck", "pckh"])
@pytest.mark.parametrize("is_exact", [False, True])
def test_scores_are_those_of_a_loop(ends, threshold, is_exact):
    known = KNOWN if is_exact else VISIBLE
    scores = pose.pose_scores(PREDICTED, JOINTS, VISIBLE, KNOWN if is_exact else None, ends=ends, threshold=threshold)
    parts = {"": VISIBLE} | ({"_hidden": KNOWN & ~VISIBLE} if is_exact else {})
    assert {*scores} == {"left_out", *(f"{name}{part}" for part in parts for name in ("pck", "error"))}
    for part, counts in parts.items():
        right, number, error, of, left_out = looped(known, counts, ends, threshold)
        assert 0 < right < number < of and left_out > 1
        assert (scores[f"pck{part}"].total, scores[f"pck{part}"].count) == (right, number)
        np.testing.assert_allclose(scores[f"error{part}"].total, error, rtol=1e-5)
        assert scores[f"error{part}"].count == of
        assert scores["left_out"].value == left_out


def test_of_each_joint_and_by_threshold():
    """By vmap over the joints, and over thresholds."""
    error, reference = pose.joint_errors(PREDICTED, JOINTS), pose.segment_length(JOINTS, VISIBLE)
    each = jax.vmap(lambda error, counts: pose.pck(error, reference, counts, 0.2).value, 1)(error, VISIBLE)
    want = [looped(VISIBLE, VISIBLE, pose.TORSO, 0.2, of=[joint]) for joint in range(14)]
    np.testing.assert_allclose(each, [right / number for right, number, *_ in want], rtol=1e-6)
    thresholds = np.array([0.0, 0.1, 0.5, 5.0], "f")
    curve = jax.vmap(lambda threshold: pose.pck(error, reference, VISIBLE, threshold).value)(thresholds)
    want = [looped(VISIBLE, VISIBLE, pose.TORSO, threshold) for threshold in thresholds]
    np.testing.assert_allclose(curve, [right / number for right, number, *_ in want], rtol=1e-6)
    assert curve[0] == 0


def test_places_that_are_no_numbers_are_not_right():
    scores = pose.pose_scores(PREDICTED * np.nan, JOINTS, VISIBLE)
    assert scores["pck"].value == 0 and np.isnan(scores["error"].value)
