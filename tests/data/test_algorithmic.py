"""Questions are answered as Python answers them, and no part has a question of another."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import algorithmic
from adl.data.algorithmic import PARTS, TASKS, Questions, held_out, questions, tenth, text

RIGHT = {
    "addition": lambda q: str(sum(map(int, q.split("+")))).zfill(len(q) // 2 + 1)[::-1],
    "addition_forward": lambda q: str(sum(map(int, q.split("+")))).zfill(len(q) // 2 + 1),
    "reverse": lambda q: q[::-1],
    "sort": lambda q: "".join(sorted(q)),
    "modular": lambda q: str(eval(q) % 5),
}
CHARACTERS = {  # of a question of length n
    "addition": lambda n: 2 * n + 1,
    "addition_forward": lambda n: 2 * n + 1,
    "reverse": lambda n: n,
    "sort": lambda n: n,
    "modular": lambda n: 2 * n - 1,
}


def said(columns: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Questions and answers of rows."""
    return [tuple(text(row).split(".")[0].split("=")) for row in columns["token"]]


@pytest.mark.parametrize("task", TASKS)
def test_answers_are_those_of_python(task):
    split = questions(task, "test", range(1, 13), 40)
    for (asked, answer), length in zip(said(split.arrays), split.arrays["length"], strict=True):
        assert answer == RIGHT[task](asked)
        assert len(asked) == CHARACTERS[task](length)
    assert set(split.arrays["length"]) >= set(range(3, 13))


@pytest.mark.parametrize("task", TASKS)
def test_the_answer_counts_and_its_end_and_nothing_else(task):
    batch = Questions(task, 64, 5)[3]
    for row, weight in zip(batch["token"], batch["mask"], strict=True):
        start, end = text(row).index("="), text(row).index(".")
        np.testing.assert_array_equal(np.flatnonzero(weight), np.arange(start, end))
        assert set(text(row)[end:]) == {"."}


@pytest.mark.parametrize("task", TASKS)
def test_parts_are_disjoint_and_a_tenth_each_is_held_out(task):
    batches = Questions(task, 512, 4)
    train = {asked for step in range(20) for asked, _ in said(batches[step])}
    held = [{asked for asked, _ in said(questions(task, part, range(1, 5), 300).arrays)} for part in PARTS]
    test, validation, _ = held
    assert not train & test and not train & validation and not test & validation
    generator = np.random.default_rng(0)
    tenths = np.bincount(tenth(TASKS[task].question(generator, 20000, 20)), minlength=10)
    assert np.abs(tenths - 2000).max() < 5 * np.sqrt(2000 * 0.9)


def test_summands_stay_in_one_part_in_either_order():
    test = {asked for asked, _ in said(questions("addition", "test", [1, 2, 5], 200).arrays)}
    for step in range(20):
        for asked, _ in said(Questions("addition", 256, 2)[step]):
            assert "+".join(asked.split("+")[::-1]) not in test
    asked = TASKS["addition"].question(np.random.default_rng(1), 500, 30)
    swapped = np.concatenate([asked[:, 31:], asked[:, 30:31], asked[:, :30]], 1)
    canonical = TASKS["addition"].canonical
    np.testing.assert_array_equal(canonical(asked), canonical(swapped))


def test_small_spaces_are_seen_whole():
    """All 100 sums of digits are in some part, each question of which is found once."""
    asked = [asked for part in PARTS for asked, _ in said(questions("addition", part, [1], 100).arrays)]
    assert sorted(asked) == sorted(f"{a}+{b}" for a in range(10) for b in range(10))


def test_batches_are_a_function_of_the_step():
    batches, again = Questions("modular", 32, 4), Questions("modular", 32, 4)
    batches[0]
    for name, column in batches[7].items():
        np.testing.assert_array_equal(column, again[7][name])
    assert (batches[7]["token"] != batches[8]["token"]).any()
    assert (Questions("modular", 32, 4, seed=1)[7]["token"] != batches[7]["token"]).any()
    assert batches[7]["token"].shape == (32, 10) and batches[7]["token"].dtype == np.int32


def test_lengths_are_equally_likely():
    batches = Questions("sort", 1000, 5)
    counts = np.bincount([len(asked) for step in range(5) for asked, _ in said(batches[step])], minlength=6)[1:]
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(1000)


def test_what_is_not_there_is_named():
    with pytest.raises(BadInput, match="no task add; there are addition"):
        Questions("add", 8, 3)
    with pytest.raises(BadInput, match="batch_size"):
        algorithmic.Questions("sort", 0, 3)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_held_out_is_of_every_length_and_so_are_its_examples(task):
    held = held_out(task, 4, reach=2, count=30)
    assert held.longest == 4 and held_out(task, count=1).longest == TASKS[task].longest
    assert set(held.validation.arrays["length"]) <= {1, 2, 3, 4}
    assert set(held.test.arrays["length"]) >= {4, 5, 6, 7, 8}
    for name in ("token", "mask"):
        want = questions(task, "test", range(1, 9), 30).arrays[name]
        np.testing.assert_array_equal(held.test.arrays[name], want)
    np.testing.assert_array_equal(held.examples.arrays["length"], [2, 2, 4, 4, 5, 5, 6, 6, 8, 8])
    for row, mask in zip(held.examples.arrays["token"], held.examples.arrays["mask"], strict=True):
        asked = TASKS[task].canonical(row[None, : mask.argmax()])
        assert tenth(asked)[0] in PARTS["test"]
    sentence = text(held.sentence)
    asked, answer = sentence.split("=")
    assert answer == RIGHT[task](asked) and len(asked) == CHARACTERS[task](4)
