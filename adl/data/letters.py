"""Letters of the documentation that Python carries, without capitals, points or numbers: English always at hand."""

import re

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz_"  # the last stands for all else
VOWELS = np.isin(list(LETTERS), list("aeiou"))  # [27] which of them are
PROTOCOL = "letters of pydoc_data.topics (of Python 3.11.7), {:,} to learn and the {:,} after them to test"


def sequences(num_train: int, num_test: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Consecutive letters `[N, length]` as numbers in 0 ... 26, to learn and to test.

    The text is that of the running version of Python (`pydoc_data.topics`).

    Args:
      num_train: sequences to learn, >= 1.
      num_test: those after them.
      length: letters of a sequence, >= 1.
    """
    from pydoc_data.topics import topics

    letters = letters_of(" ".join(topics[name] for name in sorted(topics)))[: length * (num_train + num_test)]
    return np.split(letters.reshape(-1, length), [num_train])


def letters_of(text: str) -> np.ndarray:
    """`[T]` int32 of any text: runs of what is no letter of English are one space."""
    words = re.sub(r"[^a-z]+", LETTERS[-1], text.lower())
    return np.array([LETTERS.index(letter) for letter in words], np.int32)


def independent(train: np.ndarray, test: np.ndarray) -> float:
    """Cross-entropy of the letters to test, in nats a letter, by the frequencies of those to learn."""
    share = np.bincount(train.ravel(), minlength=len(LETTERS)) / train.size
    return float(-np.log(share)[test].mean())
