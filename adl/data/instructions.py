"""Instructions in words, what is a right answer to them, and how nearly right any other is.

    sort then next : 3 1 4 = 2 4 5 .            two operations on digits, one after the other
    write 3 rising and even = 0 2 8 .           digits of one's own, under up to two constraints: many are right

The checker is exact, and a function of tokens, so that a step can ask it. Which two operations, or constraints, stand
together decides the part: each word is learned alone and beside others, while some pairs are held out for good.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.core import BadInput, did_you_mean
from adl.data.batches import checked, counted
from adl.data.split import Split

Part = Literal["train", "validation", "test"]
LISTS: dict[str, Callable[[list[int]], list[int]]] = {  # digits to digits
    "copy": lambda x: x,
    "reverse": lambda x: x[::-1],
    "rotate": lambda x: x[1:] + x[:1],
    "sort": sorted,
    "next": lambda x: [(d + 1) % 10 for d in x],
    "opposite": lambda x: [9 - d for d in x],
    "odds": lambda x: [d for d in x if d % 2],
}
NUMBERS: dict[str, Callable[[list[int]], list[int]]] = {  # digits to one of them, or none
    "count": lambda x: [len(x)],
    "largest": lambda x: [max(x)] if x else [],
    "span": lambda x: [max(x) - min(x)] if x else [],
    "last": lambda x: x[-1:],
}
OPERATIONS = {**LISTS, **NUMBERS}
CONSTRAINTS = ("rising", "falling", "even", "odd", "different", "small", "large")
EXCLUSIVE = ({"rising", "falling"}, {"even", "odd"}, {"small", "large"})
SIGNS = (".", "=", ":", "_", "then", "and", "write")  # "_" stands before what is shorter than others
WORDS = (*"0123456789", *SIGNS, *OPERATIONS, *CONSTRAINTS)  # token i is its word i
END, EQUALS, COLON, BLANK, THEN, AND, WRITE = range(10, 10 + len(SIGNS))
AROUND = 5  # words of the longest prompt beside its digits: two operations, "then", ":" and "="
HELD_OUT = {"test": (0,), "validation": (1,), "train": (2, 3, 4)}  # of five kinds of pairs

Asked = tuple[str, ...]  # one word, or two that stand together


@functools.cache
def compositions(part: Part) -> tuple[Asked, ...]:
    """What may be asked: pairs of the part; of training each word alone, too."""
    operations = [(a, b) for a in list(LISTS)[1:] for b in OPERATIONS if b not in (a, "copy")]
    constraints = [(a, b) for i, a in enumerate(CONSTRAINTS) for b in CONSTRAINTS[i + 1 :] if {a, b} not in EXCLUSIVE]
    alone = [(word,) for word in (*OPERATIONS, *CONSTRAINTS)]
    pairs = [pair for pair in operations + constraints if sum(map(_place, pair)) % 5 in HELD_OUT[part]]
    return (*(alone if part == "train" else ()), *pairs)


def _place(word: str) -> int:
    return ([*OPERATIONS] if word in OPERATIONS else CONSTRAINTS).index(word)


def operated(words: Asked, digits: list[int]) -> list[int]:
    """What operations make of digits, one after the other."""
    for word in words:
        digits = OPERATIONS[word](digits)
    return digits


def written(generator: np.random.Generator, words: Asked, count: int) -> list[int]:
    """So many digits under constraints, drawn from all that are allowed in them."""
    allowed = np.array([digit for digit in range(10) if all(_allows(word, digit) for word in words)])
    is_free = "different" not in words
    places = generator.integers(len(allowed), size=count) if is_free else generator.permutation(len(allowed))[:count]
    digits = allowed[places].tolist()
    if "rising" in words or "falling" in words:
        digits.sort(reverse="falling" in words)
    return digits


def _allows(word: str, digit: int) -> bool:
    rules = {"even": digit % 2 == 0, "odd": digit % 2 == 1, "small": digit < 5, "large": digit >= 5}
    return rules.get(word, True)


def instructed(
    generator: np.random.Generator, part: Part, count: int, longest: int, mistakes: float = 0.0
) -> np.ndarray:
    """`[C, P + A]` int32 tokens: prompts of P = longest + 5 that end with "=", and answers of A = longest + 1.

    Args:
      generator: of NumPy.
      part: whose pairs of words are asked for.
      count: C.
      longest: in 3 ... 9, the most digits that are given; up to two less, and at most 4, are to be written.
      mistakes: in [0, 1], share of the answers in which a digit, or the end, is another sign of these at random.
    """
    if not 3 <= longest <= 9:
        raise BadInput(f"instructions of up to {longest} digits: it must be 3 to 9")
    there = compositions(part)
    rows = [_text(generator, there[i], longest) for i in generator.integers(len(there), size=count)]
    token = np.array(rows, np.int32)
    answer = token[:, -longest - 1 :]
    length = (answer != END).sum(1)
    place = (generator.random(count) * np.minimum(length + 1, longest)).astype(int)  # at the end: one digit more
    wrong = generator.integers(END + 1, size=count)
    is_wrong = generator.random(count) < mistakes
    answer[is_wrong, place[is_wrong]] = wrong[is_wrong]
    answer[np.cumsum(answer == END, 1) > 0] = END
    return token


def _text(generator: np.random.Generator, words: Asked, longest: int) -> list[int]:
    if words[0] in OPERATIONS:
        digits = generator.integers(10, size=generator.integers(2, longest + 1)).tolist()
        prompt, answer = [*_joined(words, THEN), COLON, *digits], operated(words, digits)
    else:
        count = int(generator.integers(1, min(longest - 2, 4) + 1))
        prompt, answer = [WRITE, count, *_joined(words, AND)], written(generator, words, count)
    return [*padded_prompt([*prompt, EQUALS], longest), *answer, *[END] * (longest + 1 - len(answer))]


def _joined(words: Asked, sign: int) -> list[int]:
    first, *second = (WORDS.index(word) for word in words)
    return [first, sign, *second] if second else [first]


def padded_prompt(prompt: Sequence[int], longest: int) -> list[int]:
    """A prompt with blanks before it, as long as the longest."""
    return [BLANK] * (longest + AROUND - len(prompt)) + list(prompt)


def score(token: Array, response: Array) -> Array:
    """`[B]` how nearly right responses are, in [0, 1]: 1 if and only if one is right.

    Of operations: the share of places that are right, its end among them, of as many as the longer answer has. Of
    `write`: the mean of whether there are so many digits, and whether each constraint holds; 0 of what are no digits.

    Args:
      token: `[B, P + A]` prompts, and right answers, as of `instructed`.
      response: `[B, A]` tokens; behind the first end there are ends.
    """
    prompt, answer = token[:, : -response.shape[1]], token[:, -response.shape[1] :]
    length = (response != END).sum(1)
    places = jnp.minimum(jnp.maximum((answer != END).sum(1), length) + 1, response.shape[1])
    alike = 1 - (answer != response).sum(1) / places
    wanted = jnp.take_along_axis(prompt, (prompt == WRITE).argmax(1)[:, None] + 1, 1)[:, 0]
    is_asked = jnp.stack([(prompt == WORDS.index(word)).any(1) for word in CONSTRAINTS], 1)
    holds = (constraints_kept(response) & is_asked).sum(1) + (length == wanted)
    is_said = (length > 0) & ((response <= END).all(1))
    return jnp.where((prompt == WRITE).any(1), is_said * holds / (is_asked.sum(1) + 1), alike)


def constraints_kept(response: Array) -> Array:
    """`[B, 7]` whether each of `CONSTRAINTS` holds of digits `[B, A]`, whose ends are behind them."""
    is_digit, both = response < END, response[:, 1:] < END
    step = response[:, 1:] - response[:, :-1]
    is_same = (response[:, :, None] == response[:, None]) & is_digit[:, :, None] & is_digit[:, None]
    here = jnp.arange(response.shape[1])
    each = {
        "even": response % 2 == 0,
        "odd": response % 2 == 1,
        "small": response < 5,
        "large": response >= 5,
    }
    rules = {
        "rising": ((step >= 0) | ~both).all(1),
        "falling": ((step <= 0) | ~both).all(1),
        "different": ~(is_same & (here[:, None] > here[None])[None]).any((1, 2)),
        **{word: (rule | ~is_digit).all(1) for word, rule in each.items()},
    }
    return jnp.stack([rules[word] for word in CONSTRAINTS], 1)


class Stretch(NamedTuple):
    """What texts one stage of learning reads, and for how long."""

    num_steps: int
    mistakes: float = 0.0  # as in `instructed`
    answers_only: bool = True  # whether the mask leaves prompts out


class Lessons:
    """`batches[step]`: texts of the stage that a step belongs to, whatever was asked for before; the last goes on.

    Args:
      batch_size: B >= 1.
      longest: as in `instructed`.
      lessons: the stages, one after the other; one of no steps is left out.
      part: whose pairs of words are asked for.
      seed: >= 0.
    """

    def __init__(
        self, batch_size: int, longest: int, lessons: Sequence[Stretch], *, part: Part = "train", seed: int = 0
    ):
        self.batch_size, self.seed = checked(batch_size, seed)
        self.longest, self.part, self.lessons = longest, part, tuple(lessons)
        self.ends = np.cumsum([lesson.num_steps for lesson in self.lessons])

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        """{"token" `[B, P + A]`, "mask" `[B, P + A - 1]`: 1 where a token that counts follows, "stage" `[B]`}."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, counted(step)]))
        stage = min(int(np.searchsorted(self.ends, step, side="right")), len(self.lessons) - 1)
        lesson = self.lessons[stage]
        token = instructed(generator, self.part, self.batch_size, self.longest, lesson.mistakes)
        return {
            "token": token,
            "mask": counting(token, self.longest, answers_only=lesson.answers_only),
            "stage": np.full(self.batch_size, stage, np.int32),
        }


def counting(token: np.ndarray, longest: int, *, answers_only: bool) -> np.ndarray:
    """`[B, P + A - 1]` float32 mask of what follows: 1 up to an answer's end, from its beginning or the prompt's."""
    following = token[:, 1:]
    begin = longest + AROUND - 1
    counts = np.cumsum(following == END, 1) - (following == END) == 0  # what is before an end, and the first itself
    counts &= (np.arange(following.shape[1]) >= begin) | (not answers_only and following != BLANK)
    return counts.astype(np.float32)


def exam(part: Part, count: int, longest: int, *, seed: int = 0) -> Split:
    """Different instructions of a part, with right answers: "token" `[N, P + A]`."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 2**32 + len(part)]))
    drawn = instructed(generator, part, 4 * count, longest)
    first = np.unique(drawn[:, : longest + AROUND], axis=0, return_index=True)[1]
    return Split({"token": drawn[np.sort(first)[:count]]})


def prompt_of(text: str, longest: int) -> np.ndarray:
    """`[P]` tokens of an instruction as a person writes it; "=" may be left out.

    Raises:
      BadInput: for an unknown word, or too many.
    """
    words = text.lower().replace(":", " : ").replace("=", " = ").replace(",", " ").split()
    words = [digit for word in words for digit in (word if word.isdigit() else [word])]
    for word in words:
        if word not in WORDS:
            raise BadInput(f"no word {word!r}: there are {', '.join(WORDS[14:])}{did_you_mean(word, WORDS)}")
    prompt = [WORDS.index(word) for word in words]
    prompt = prompt if prompt[-1:] == [EQUALS] else [*prompt, EQUALS]
    if len(prompt) == 1 or len(prompt) > longest + AROUND:
        raise BadInput(f"{text!r}: an instruction has 1 to {longest + AROUND - 1} words and digits before the =")
    return np.array(padded_prompt(prompt, longest), np.int32)


def in_words(tokens: Sequence[int]) -> str:
    """What tokens say, up to the first end, without blanks."""
    tokens = [int(token) for token in tokens]
    said = tokens[: tokens.index(END)] if END in tokens else tokens
    return " ".join(WORDS[token] for token in said if token != BLANK)
