"""Instructions are answered as Python answers them, the checker is exact, and no part has a pair of another."""

import re

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import instructions
from adl.data.instructions import (
    AROUND,
    CONSTRAINTS,
    END,
    Lessons,
    Stretch,
    compositions,
    exam,
    in_words,
    instructed,
    prompt_of,
    score,
)

LONGEST = 6
RIGHT = {  # of digits as a string
    "copy": lambda x: x,
    "reverse": lambda x: "".join(reversed(x)),
    "rotate": lambda x: re.sub(r"^(.)(.*)$", r"\2\1", x),
    "sort": lambda x: "".join(sorted(x)),
    "next": lambda x: x.translate(str.maketrans("0123456789", "1234567890")),
    "opposite": lambda x: x.translate(str.maketrans("0123456789", "9876543210")),
    "odds": lambda x: re.sub("[02468]", "", x),
    "count": lambda x: str(len(x)),
    "largest": lambda x: max(x, default=""),
    "span": lambda x: str(int(max(x)) - int(min(x))) if x else "",
    "last": lambda x: x[-1:],
}
HOLDS = {
    "rising": lambda x: list(x) == sorted(x),
    "falling": lambda x: list(x) == sorted(x, reverse=True),
    "even": lambda x: set(x) <= set("02468"),
    "odd": lambda x: set(x) <= set("13579"),
    "different": lambda x: len(set(x)) == len(x),
    "small": lambda x: set(x) <= set("01234"),
    "large": lambda x: set(x) <= set("56789"),
}


def rows(part: str, count: int = 300) -> np.ndarray:
    return instructed(np.random.default_rng(0), part, count, LONGEST)


def said(row: np.ndarray) -> tuple[list[str], str]:
    """Words of the prompt, and digits of the answer."""
    prompt, answer = in_words(row).split(" =")
    return prompt.split(), answer.replace(" ", "")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_answers_are_those_of_python(part):
    for row in rows(part):
        words, answer = said(row)
        if words[0] == "write":
            assert len(answer) == int(words[1])
            assert all(HOLDS[word](answer) for word in words[2:] if word != "and")
        else:
            x = "".join(words[words.index(":") + 1 :])
            for word in words[: words.index(":")]:
                x = RIGHT[word](x) if word != "then" else x
            assert answer == x


def test_right_answers_score_one_and_no_others():
    """Whatever is said, the score is 1 exactly where Python finds it right."""
    token = rows("train", 400)
    np.testing.assert_array_equal(score(token, token[:, -LONGEST - 1 :]), 1)
    wrong = np.random.default_rng(1).integers(END + 2, size=(400, LONGEST + 1))
    near = np.where(np.random.default_rng(2).random(wrong.shape) < 0.8, token[:, -LONGEST - 1 :], wrong)
    near = np.where(np.cumsum(near == END, 1) > 0, END, near)
    found = np.asarray(score(token, near))
    for row, answer, seen in zip(token, near, found, strict=True):
        (words, right), digits = said(row), "".join(in_words(answer).split())
        if words[0] == "write":
            told = [digits.isdigit() and HOLDS[word](digits) for word in words[2:] if word != "and"]
            told.append(digits.isdigit() and len(digits) == int(words[1]))
            assert seen == pytest.approx(np.mean(told))
        else:
            assert (seen == 1) == (digits == right)
        assert 0 <= seen <= 1


def test_each_constraint_is_as_python_says():
    answers = np.random.default_rng(0).integers(END + 1, size=(500, 5))
    answers = np.where(np.cumsum(answers == END, 1) > 0, END, answers)
    kept = np.asarray(instructions.constraints_kept(answers))
    for row, holds in zip(answers, kept, strict=True):
        digits = "".join(str(d) for d in row if d != END)
        assert [HOLDS[word](digits) for word in CONSTRAINTS] == holds.tolist()


def test_no_part_has_a_pair_of_another_and_training_has_every_word():
    train, validation, test = (set(compositions(part)) for part in ("train", "validation", "test"))
    assert not train & validation and not train & test and not validation & test
    assert {word for pair in validation | test for word in pair} <= {word for pair in train for word in pair}
    assert min(len(validation), len(test)) > 10
    assert len(np.unique(exam("test", 50, LONGEST).arrays["token"], axis=0)) == 50


def test_lessons_are_a_function_of_the_step_and_their_stages_follow():
    lessons = Lessons(64, LONGEST, [Stretch(2, 1.0, answers_only=False), Stretch(1)])
    np.testing.assert_array_equal([lessons[step]["stage"][0] for step in range(5)], [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(lessons[1]["token"], lessons[1]["token"])
    right = [np.mean(score(batch["token"], batch["token"][:, -LONGEST - 1 :]) == 1) for batch in (lessons[2],)]
    assert right == [1]
    for row, mask in zip(lessons[2]["token"], lessons[2]["mask"], strict=True):
        ends = np.flatnonzero(row == END)
        np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(LONGEST + AROUND - 1, min([*ends, 99])))


def test_mistakes_are_as_frequent_as_they_are_said_to_be():
    right, wrong = (instructed(np.random.default_rng(3), "train", 2000, LONGEST, share) for share in (0.0, 0.3))
    np.testing.assert_array_equal(right[:, : LONGEST + AROUND], wrong[:, : LONGEST + AROUND])
    assert 0.2 < (right != wrong).any(1).mean() <= 0.3


@pytest.mark.parametrize("text", ["sort then next : 3 1 4 =", "Sort then next: 314"])
def test_a_person_may_write_it_several_ways(text):
    assert in_words(prompt_of(text, LONGEST)) == "sort then next : 3 1 4 ="


@pytest.mark.parametrize(
    ("text", "told"),
    [("srt : 3 1", "did you mean sort"), ("", "has 1 to 10"), ("sort : 123456789", "has 1 to 10")],
)
def test_what_is_no_instruction_is_told_in_one_line(text, told):
    with pytest.raises(BadInput, match=told):
        prompt_of(text, LONGEST)
    with pytest.raises(BadInput, match="3 to 9"):
        instructed(np.random.default_rng(0), "train", 2, 2)
