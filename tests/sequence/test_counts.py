"""Counting models are Witten and Bell's formula, word for word."""

import math
from collections import Counter

import numpy as np

from adl.sequence.counts import witten_bell

RNG = np.random.default_rng(0)
# Each token depends on the two before it, and some are never seen in training.
TRAIN, TEST = (np.array([0, 1]), np.array([1, 0]))
for _ in range(300):
    TRAIN = np.append(TRAIN, (TRAIN[-1] + TRAIN[-2] + RNG.integers(2)) % 4)
    TEST = np.append(TEST, RNG.integers(5))
SIZE = np.array([1.0, 2.0, 1.0, 3.0, 1.0], np.float32)


def padded(text, length):
    """With what stands before it: a token that no text has."""
    return [-1] * length + list(map(int, text))


def probability(token, history, counts):
    """By recursion, from a table of how often each token followed each history."""
    if history is None:
        return 1 / len(SIZE)
    shorter = probability(token, history[1:] if history else None, counts)
    followed = {w: n for (h, w), n in counts.items() if h == history}
    total, kinds = sum(followed.values()), len(followed)
    return (followed.get(token, 0) + kinds * shorter) / (total + kinds) if total else shorter


def test_losses_are_the_formulas():
    longest = 3
    seen = padded(TRAIN, longest)
    counts = Counter()
    for place in range(longest, len(seen)):
        for length in range(longest + 1):
            counts[tuple(seen[place - length : place]), seen[place]] += 1
    asked = padded(TEST[:80], longest)
    for length, loss in enumerate(witten_bell(TRAIN, TEST[:80], size=SIZE, longest=longest)):
        nats = [
            -math.log(probability(asked[place], tuple(asked[place - length : place]), counts))
            for place in range(longest, len(asked))
        ]
        np.testing.assert_allclose(loss, sum(nats) / SIZE[TEST[:80]].sum(), rtol=1e-6)


def test_a_longer_context_helps_where_there_is_one():
    losses = witten_bell(TRAIN[:200], TRAIN[200:], size=SIZE, longest=2)
    assert losses[2] < min(losses[:2]) < math.log(5)
