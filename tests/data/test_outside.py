"""A world outside the program goes on step by step, and begins anew where a segment does."""

import numpy as np
import pytest

from adl.core import BadInput, Batches, SharedBatches, World
from adl.data import Outside, Split, shuffled, text


def counter(generator):
    """A world that adds up what is done in it."""
    total = generator.integers(1000)

    def act(view):
        nonlocal total
        total += view
        return {"x": np.array([total])}

    return act


def world(segment: int = 4, seed: int = 0) -> Outside:
    return Outside(counter, lambda state: state, example={"x": np.zeros(1, int)}, segment=segment, seed=seed)


def told(world: Outside, *steps: int) -> list[int]:
    return [int(world.after(step, step)["x"][0]) for step in steps]


def test_a_segment_is_the_same_whatever_came_before():
    straight = told(world(), *range(12))
    assert straight[4:] == told(world(), *range(4, 12)) and straight[8:] == told(world(), *range(8, 12))
    assert np.diff(straight[4:8]).tolist() == [5, 6, 7], "within it what was done adds up"
    begins = np.array(straight[::4]) - np.arange(12)[::4]
    assert len(set(begins)) == 3, "segments differ"
    assert told(world(seed=1), 0) != straight[:1]
    assert told(world(), *range(6), 0, 1) == straight[:6] + straight[:2]


@pytest.mark.parametrize("steps", [(3,), (0, 2), (0, 1, 1), (5, 6)])
def test_a_step_that_a_world_cannot_be_at_is_refused(steps):
    with pytest.raises(IndexError, match="goes on step by step, or begins anew every 4"):
        told(world(), *steps)


def test_a_world_without_steps_is_refused():
    with pytest.raises(BadInput, match="begins anew every 0 steps: it must be >= 1"):
        world(0)


def test_kinds_of_batches_are_known_by_what_they_can():
    kinds = {
        "world": world(),
        "split": shuffled(Split({"x": np.zeros(3)}), 2),
        "text": text.random_pieces(np.arange(9), 2, 3),
        "list": [1, 2],
    }
    assert all(isinstance(batches, Batches) for batches in kinds.values())
    assert [name for name, batches in kinds.items() if isinstance(batches, SharedBatches)] == ["split", "text"]
    assert [name for name, batches in kinds.items() if isinstance(batches, World)] == ["world"]
