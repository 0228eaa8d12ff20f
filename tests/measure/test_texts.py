"""Texts are compared with people's as counting by hand does."""

import jax
import numpy as np
import pytest

from adl.measure.texts import beside_people, repeated

RNG = np.random.default_rng(0)


def had_before(text, n):
    """Share of the n-grams that are among those that begin earlier."""
    grams = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return np.mean([gram in grams[:i] for i, gram in enumerate(grams)])


@pytest.mark.parametrize("n", [1, 2, 8])
def test_repeated_is_the_share_that_came_before(n):
    texts = [RNG.integers(0, 2, 40), np.tile(np.arange(5), 6), np.arange(20), np.zeros(9, int)]
    for text in texts:
        np.testing.assert_allclose(repeated(text, num_tokens=n), had_before(text, n), rtol=1e-6)


def test_ways_are_told_apart_from_people():
    texts = {"text": RNG.integers(0, 3, (6, 30)), "loop": np.zeros((6, 30), int)}
    nats = {"text": RNG.random(6).astype("f"), "loop": RNG.random(6).astype("f")}
    found = jax.jit(lambda texts, nats: beside_people(texts, nats))(texts, nats)
    people = np.mean([had_before(text, 8) for text in texts["text"]])
    want = {
        **{"text_surprise": nats["text"].mean(), "loop_surprise": nats["loop"].mean()},
        **{"text_gap": 0, "loop_gap": (nats["loop"] - nats["text"]).mean()},
        **{"text_repeated": people, "loop_repeated": 22 / 23},
        **{"text_repeated_more": 0, "loop_repeated_more": 22 / 23 - people},
    }
    assert set(found) == set(want)
    for name, value in want.items():
        np.testing.assert_allclose(found[name].value, value, atol=1e-6)
