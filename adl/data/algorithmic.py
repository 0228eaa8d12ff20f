"""Algorithms by example: questions of any length that have one right answer, as rows of tokens.

A row is a question, "=", its answer and "."; what comes after is ".", too, and counts for nothing. Every question
belongs to the training, the validation or the test part for good, by a hash of what it says, so that the parts have no
question in common, however many are drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.batches import checked, counted
from adl.data.split import Split

ALPHABET = "0123456789+-*=."  # token i is its character i
PLUS, MINUS, TIMES, EQUALS, END = range(10, 15)
MODULUS = 5
PARTS = {"test": (0,), "validation": (1,), "train": tuple(range(2, 10))}  # tenths of all questions


class Task(NamedTuple):
    """What is asked, and what is right."""

    question: Callable[[np.random.Generator, int, int], np.ndarray]  # (generator, C, length n) -> [C, Q] tokens
    answer: Callable[[np.ndarray], np.ndarray]  # [C, Q] -> [C, A]
    title: str
    unit: str  # of the length
    longest: int  # length of questions that networks of some 100,000 parameters learn to answer in minutes
    canonical: Callable[[np.ndarray], np.ndarray] = lambda question: question  # [C, Q], the same where all but equal


def _digits(generator: np.random.Generator, count: int, length: int) -> np.ndarray:
    return generator.integers(10, size=(count, length))


def _numbers(generator: np.random.Generator, count: int, length: int) -> np.ndarray:
    digits = generator.integers(10, size=(count, 2 * length + 1))
    digits[:, length] = PLUS
    return digits


def _expression(generator: np.random.Generator, count: int, length: int) -> np.ndarray:
    tokens = generator.integers(MODULUS, size=(count, 2 * length - 1))
    tokens[:, 1::2] = generator.integers(PLUS, TIMES + 1, size=(count, length - 1))
    return tokens


def _summands(question: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = question.shape[1] // 2
    return question[:, :length], question[:, length + 1 :]


def _sum(question: np.ndarray) -> np.ndarray:
    """Digit by digit, the least significant first, with a carry."""
    columns = sum(_summands(question)).T[::-1]
    carry, digits = np.zeros(len(question), int), []
    for column in columns:
        carry, digit = np.divmod(column + carry, 10)
        digits.append(digit)
    return np.stack([*digits, carry], 1)


def _ordered(question: np.ndarray) -> np.ndarray:
    """The smaller summand first."""
    first, second = _summands(question)
    differs = (first != second).argmax(1)[:, None]
    is_larger = np.take_along_axis(first, differs, 1) > np.take_along_axis(second, differs, 1)
    return np.where(is_larger, np.concatenate([second, question[:, [len(first[0])]], first], 1), question)


def _value(question: np.ndarray) -> np.ndarray:
    """Of a sum of products, modulo `MODULUS`."""
    total, product = np.zeros(len(question), int), question[:, 0]
    for operation, number in zip(question.T[1::2], question.T[2::2], strict=True):
        goes_on = operation == TIMES
        total = np.where(goes_on, total, total + product)
        product = np.where(goes_on, product * number, np.where(operation == PLUS, number, -number)) % MODULUS
    return ((total + product) % MODULUS)[:, None]


_ADDED = {"unit": "digits of each summand", "longest": 3, "canonical": _ordered}
_ROW = {"unit": "digits", "longest": 8}
TASKS = {
    "addition": Task(_numbers, _sum, "Addition, the least significant digit first", **_ADDED),
    "addition_forward": Task(
        _numbers, lambda question: _sum(question)[:, ::-1], "Addition, the most significant digit first", **_ADDED
    ),
    "reverse": Task(_digits, lambda question: question[:, ::-1], "Digits backwards", **_ROW),
    "sort": Task(_digits, lambda question: np.sort(question, 1), "Digits in order", **_ROW),
    "modular": Task(_expression, _value, f"Arithmetic modulo {MODULUS}", "numbers in the expression", 5),
}
"""Questions of length n, and their answers.

`addition`: two numbers of n digits, with leading zeros; their sum of n + 1, the least significant digit first, the
order in which it can be computed (Lee et al. 2023, arXiv:2307.03381, there "reverse"); the summands in the other order
are in the same part. `addition_forward`: the same, as it is written. `reverse`, `sort`: n digits; backwards, or in
order. `modular`: n numbers below 5 with +, - or * between; the value modulo 5, products first (Delétang et al. 2023,
arXiv:2207.02098, there "modular arithmetic (simple)").
"""


class Questions:
    """`batches[step]`: B training questions with their answers, whatever was asked for before.

    Args:
      task: of `TASKS`.
      batch_size: B >= 1.
      length: L >= 1; lengths 1 ... L are equally likely.
      seed: >= 0, of the questions alone.
    """

    def __init__(self, task: str, batch_size: int, length: int, *, seed: int = 0):
        self.task, self.length = _known(task), length
        self.batch_size, self.seed = checked(batch_size, seed)

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        """{"token": `[B, T + 1]` int32, "mask": `[B, T]` float32: 1 where an answer's token follows}."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, counted(step)]))
        lengths = generator.integers(1, self.length + 1, size=self.batch_size)
        counts = np.bincount(lengths, minlength=self.length + 1)
        asked = {n: drawn(self.task, generator, counts[n], n, "train") for n in range(1, self.length + 1)}
        columns = rows(self.task, asked)
        order = generator.permutation(self.batch_size)
        return {name: columns[name][order] for name in ("token", "mask")}


def questions(task: str, part: str, lengths: Sequence[int], count: int, *, seed: int = 0) -> Split:
    """Different questions of a part, for evaluation.

    Args:
      task: of `TASKS`.
      part: of `PARTS`.
      lengths: of the questions.
      count: of each length, or as many as were found where there are few.
      seed: >= 0.
    Returns:
      "token" `[N, T + 1]` and "mask" `[N, T]` as in `Questions`, and "length" `[N]`.
    """
    found, of = {}, _known(task)
    for n in lengths:
        generator = np.random.Generator(np.random.Philox(key=[seed, n]))
        asked = drawn(of, generator, 4 * count, n, part)
        first = np.unique(asked, axis=0, return_index=True)[1]
        found[n] = asked[np.sort(first)[:count]]
    return Split(rows(of, found))


class HeldOut(NamedTuple):
    """Questions that nobody learns from."""

    longest: int  # length in training
    validation: Split  # up to that
    test: Split  # beyond it, too
    examples: Split  # of the same part, to look at: half as long, as long, longer by one, by half, and twice

    @property
    def sentence(self) -> np.ndarray:
        """`[T]` a question about as long as in training, with its answer, up to the first end."""
        token, length = self.examples.arrays["token"], self.examples.arrays["length"]
        row = token[np.abs(length - self.longest).argmin()]
        return row[: (row == END).argmax()]


def held_out(task: str, longest: int = 0, *, reach: int = 4, count: int = 200) -> HeldOut:
    """Different questions of every length, as of `questions`.

    Args:
      task: of `TASKS`.
      longest: length in training; 0: what the task says.
      reach: >= 1, lengths of the test go up to so many times that.
      count: questions of each length, or as many as were found where there are few.
    """
    longest = longest or _known(task).longest
    farthest = reach * longest
    validation, test, few = (
        questions(task, part, range(1, most + 1), n)
        for part, most, n in (("validation", longest, count), ("test", farthest, count), ("test", farthest, 2))
    )
    lengths = {max(longest // 2, 2), longest, longest + 1, min(3 * longest // 2, farthest), min(2 * longest, farthest)}
    rows = np.flatnonzero(np.isin(few.arrays["length"], sorted(lengths)))
    return HeldOut(longest, validation, test, Split(few.take(rows)))


def drawn(task: Task, generator: np.random.Generator, count: int, length: int, part: str) -> np.ndarray:
    """`[C, Q]` questions of one length and one part, as likely as they are within it; none if it has hardly any."""
    kept = np.zeros((0, task.question(generator, 1, length).shape[1]), int)
    for _ in range(100):
        if len(kept) >= count:
            break
        asked = task.question(generator, max(2 * count, 16), length)
        kept = np.concatenate([kept, asked[np.isin(tenth(task.canonical(asked)), PARTS[part])]])
    return kept[:count]


def tenth(question: np.ndarray) -> np.ndarray:
    """`[C]` integers in 0 ... 9, as if at random, of questions `[C, Q]`.

    Source: the mixing of bits: Steele, Lea & Flood 2014, "Fast Splittable Pseudorandom Number Generators", there
    mix64variant13.
    """
    code = np.zeros(len(question), np.uint64)
    for token in question.T:
        code = code * np.uint64(len(ALPHABET)) + token.astype(np.uint64) + np.uint64(1)
        code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        code ^= code >> np.uint64(31)
    return code % np.uint64(10)


def rows(task: Task, asked: Mapping[int, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns "token" `[N, T + 1]`, "mask" `[N, T]` and "length" `[N]` of questions and their answers.

    Args:
      task: that the questions are of.
      asked: `[C, Q]` questions of each length n.
    """
    answers = {n: task.answer(question) for n, question in asked.items()}
    size = max(asked[n].shape[1] + answers[n].shape[1] for n in asked) + 2
    columns = {"token": [], "mask": [], "length": []}
    for n, question in asked.items():
        begin = question.shape[1]
        end = begin + 1 + answers[n].shape[1]
        token = np.full((len(question), size), END, np.int32)
        token[:, :begin], token[:, begin], token[:, begin + 1 : end] = question, EQUALS, answers[n]
        mask = np.zeros((len(question), size - 1), np.float32)
        mask[:, begin:end] = 1
        columns["token"].append(token)
        columns["mask"].append(mask)
        columns["length"].append(np.full(len(question), n, np.int32))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def tokens_of(text: str) -> np.ndarray:
    """`[T]` int32 of a text in the characters of `ALPHABET`."""
    return np.array([ALPHABET.index(character) for character in text], np.int32)


def text(tokens: np.ndarray) -> str:
    """What a row of tokens says."""
    return "".join(ALPHABET[token] for token in tokens)


def _known(task: str) -> Task:
    if task not in TASKS:
        raise BadInput(f"no task {task}; there are {', '.join(TASKS)}")
    return TASKS[task]
