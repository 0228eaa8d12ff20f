"""Texts: a corpus is one long row of tokens, and a batch is pieces of it."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.batches import checked, counted, filled
from adl.data.files import is_path
from adl.data.files.passages import ONE_TEXT
from adl.data.ragged import pad
from adl.data.source import load
from adl.data.split import Split, read_only
from adl.data.tokens import PATTERNS, Kind, Parting, Tokens, of


def corpus(name: str, split: str, data_dir: str = "", **how: Any) -> str:
    """The texts of a split, one after the other, each on lines of its own: no word goes on in the next text.

    Splits of a single text each, as tiny_shakespeare's, are pieces of one, and joined as they are.

    Args:
      name: TFDS name of a data set with the feature `text`: `python_library` (bundled), `tiny_shakespeare`, ...
      split: "train", "validation+test" (where nanoGPT validates on tiny_shakespeare), ...
      data_dir: as in `load`.
      **how: as in `load`.

    Raises:
      BadInput: as `load`; or if the split holds no text.
    """
    asked = [split] if is_path(name) else split.split("+")
    parts = [load(name, part, data_dir, wanted=("text",), **how).require("text") for part in asked]
    texts = [_words(example, name) for part in parts for example in part.arrays["text"]]
    if any(len(part) > 1 and not (part.info and (part.info.metadata or {}).get(ONE_TEXT)) for part in parts):
        texts[:-1] = [one if one.endswith("\n") else f"{one}\n" for one in texts[:-1]]
    text = "".join(texts)
    if not text:
        raise BadInput(f"data set {name} has no text in {split}")
    return text


def _words(text: Any, name: str) -> str:
    """A text, which TFDS has as bytes and tables as words."""
    if not isinstance(text, bytes | str):
        raise BadInput(f"data set {name}: text must be text, not {type(text).__name__}; --columns text=NAME names it")
    return text.decode() if isinstance(text, bytes) else text


class Texts(NamedTuple):
    """What a language model learns from and is tested on, and in what tokens it is read."""

    train: np.ndarray  # [N] int32
    test: np.ndarray  # [M] int32
    tokens: Tokens  # made from the training text


def texts(
    name: str,
    *,
    train: str = "train",
    test: str = "test",
    data_dir: str = "",
    kind: Kind = "char",
    vocab_size: int = 0,
    parting: Parting = "punctuation",
    tokens: Tokens | None = None,
    **how: Any,
) -> Texts:
    """Both splits of a data set in the tokens that the training text gave rise to, or in those of another.

    Args:
      name: as in `corpus`.
      train: split to learn from, in TFDS's words.
      test: split to test on.
      data_dir: as in `load`.
      kind: of the tokens; as in `tokens.of`, and so are the last two.
      vocab_size: of byte pairs or words, at most.
      parting: of words.
      tokens: that a model reads already, whatever the text; None: by the three before.
      **how: as in `load`.

    Raises:
      BadInput: as `corpus` and `tokens.of`.
    """
    corpora = [corpus(name, split, data_dir, **how) for split in (train, test)]
    tokens = of(kind, corpora[0], vocab_size, parting=parting) if tokens is None else tokens
    return Texts(*map(tokens.encode, corpora), tokens)


class Captions(NamedTuple):
    """How short texts are read as rows of one length: a token that stands before each, its words, then padding."""

    tokens: Tokens  # of words
    length: int  # T, of the longest, with the token before it

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Captions":
        """For texts like these, of which all words are known; raises `BadInput` if there are none."""
        if not texts:
            raise BadInput("no captions: at least one, of which the words are learned")
        text = "\n".join(texts)
        tokens = of("word", text, vocab_size=len(text) + 2)  # room for every word
        return cls(tokens, 1 + max(len(tokens.encode(text)) for text in texts))

    @property
    def padding(self) -> int:
        """The token behind a text, one more than there are words."""
        return len(self.tokens.vocabulary)

    def read(self, text: str) -> np.ndarray:
        """`[n]` int32, n < T, the words of a text.

        Raises:
          BadInput: for a word that is not known, or too many of them.
        """
        words = re.findall(PATTERNS["punctuation"], text)
        found = self.tokens.encode(" ".join(words))
        if unknown := [word for word, token in zip(words, found, strict=True) if not token]:
            near = did_you_mean(unknown[0], self.tokens.vocabulary[2:])
            raise BadInput(f"caption {text!r}: no caption that was learned has the word {unknown[0]!r}{near}")
        if len(found) >= self.length:
            raise BadInput(f"caption {text!r}: {len(found)} words, where the longest learned has {self.length - 1}")
        return found

    def prompt(self, text: str) -> np.ndarray:
        """`[1 + n]` int32 of a text that goes on, with the token before it; raises as `read`."""
        return np.append(np.int32(self.tokens.start), self.read(text))

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """`[N, T]` int32 of N texts; raises as `read`."""
        return pad([self.prompt(text) for text in texts], self.length, value=self.padding)[0]


class Pieces:
    """`batches[step]`: B pieces of T + 1 successive tokens, whatever was asked for before.

    Beyond the last token comes the first again.

    Args:
      tokens: `[N]` integers.
      length: T >= 1, tokens that a piece has after its first.
      starts: `starts(step)` `[B]`, where the pieces of a step begin.
      process: (index, count): of the B pieces the index-th share is read.
    """

    def __init__(
        self,
        tokens: np.ndarray,
        length: int,
        starts: Callable[[int], np.ndarray],
        process: tuple[int, int] = (0, 1),
    ):
        self.tokens, self.length, self.starts, self.process = read_only(tokens), length, starts, process

    def share(self, index: int, count: int) -> "Pieces":
        """The same batches, of which this process reads B / count pieces: the index-th share of each.

        Raises:
          BadInput: if the batch does not divide by `count`.
        """
        if len(self.starts(0)) % count:
            raise BadInput(
                f"--batch_size {len(self.starts(0))}: it must be a multiple of {count}, the number of shares"
            )
        return Pieces(self.tokens, self.length, self.starts, (index, count))

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        """{"token": `[B, T + 1]`}."""
        index, count = self.process
        starts = self.starts(counted(step))
        share = len(starts) // count
        places = starts[index * share : (index + 1) * share, None] + np.arange(self.length + 1)
        return {"token": self.tokens.take(places, mode="wrap")}


def random_pieces(tokens: np.ndarray, batch_size: int, length: int, *, seed: int = 0) -> Pieces:
    """Training batches from anywhere in a text, each place as likely as any other.

    Args:
      tokens: `[N]`, N > length.
      batch_size: pieces of the global batch B, >= 1.
      length: T >= 1.
      seed: >= 0, of the places alone.

    Raises:
      BadInput: if the text is shorter than a piece, or the batch size is not positive.
    """
    batch_size, seed = checked(batch_size, seed)
    if len(tokens) <= length:
        raise BadInput(f"a text of {len(tokens)} tokens has no piece of {length + 1}")

    def starts(step: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(key=[seed, step]))
        return generator.integers(len(tokens) - length, size=batch_size)

    return Pieces(tokens, length, starts)


def streams(tokens: np.ndarray, batch_size: int, length: int) -> Pieces:
    """Training batches that read on: row b of a step goes on where row b of the last step stopped.

    For models that remember. The rows start at B equally spaced places, and each reads the whole text, round and
    round.

    Args:
      tokens: `[N]`.
      batch_size: rows B, >= 1.
      length: T >= 1, tokens by which a step moves.

    Raises:
      BadInput: if the text has fewer tokens than rows, or the batch size is not positive.
    """
    batch_size, _ = checked(batch_size, 0)
    if len(tokens) < batch_size:
        raise BadInput(f"--batch_size {batch_size}: a text of {len(tokens)} tokens has not as many rows")
    first = np.arange(batch_size) * len(tokens) // batch_size
    return Pieces(tokens, length, lambda step: (first + step * length) % len(tokens))


def windows(tokens: np.ndarray, length: int, *, start: int, stride: int = 0) -> Split:
    """A whole text cut for evaluation, so that each token is predicted exactly once.

    A window is T + 1 tokens, of which each but the first is predicted from those before it. Windows begin `stride`
    tokens apart, and predict what no window before did: with a stride below T each token but the first T is predicted
    from T - stride + 1 others at least, and from T at most.

    Args:
      tokens: `[N]`, N >= 1.
      length: T >= 1.
      start: the token that stands before the text, so that its first one is predicted, too.
      stride: 1 ... T; 0: T, windows that do not overlap.

    Returns:
      "token" `[W, T + 1]` and "mask" `[W, T]` float32: 1 where the following token is predicted, 0 elsewhere.

    Raises:
      BadInput: if the stride is not within its range.
    """
    stride = stride or length
    if not 0 < stride <= length:
        raise BadInput(f"a stride of {stride}: it must be in [1, {length}], or 0")
    row = np.concatenate([[start], tokens]).astype(np.int32)
    begins = np.arange(0, max(len(tokens) - length, 0) + stride, stride)[:, None]
    predicted = begins + np.arange(length)  # places in `tokens`
    is_new = (predicted >= begins + length - stride) | (begins == 0)
    token = row[np.minimum(begins + np.arange(length + 1), len(tokens))]
    return Split({"token": token, "mask": (is_new & (predicted < len(tokens))).astype(np.float32)})


def parallel_streams(tokens: np.ndarray, batch_size: int, length: int, *, start: int) -> dict[str, np.ndarray]:
    """A whole text in B streams, for models that remember: each token is predicted exactly once.

    Row b of a piece goes on where row b of the last piece stopped; a stream knows nothing of the one before it but the
    last token.

    Args:
      tokens: `[N]`, N >= 1.
      batch_size: streams B, >= 1.
      length: T >= 1, tokens of a piece.
      start: the token that stands before the text.

    Returns:
      "token" `[W, B, T + 1]` and "mask" `[W, B, T]`, as in `windows`.
    """
    num_pieces = -(-len(tokens) // (batch_size * length))
    cut = filled(windows(tokens, length, start=start), num_pieces * batch_size).arrays

    def arranged(array: np.ndarray) -> np.ndarray:
        return array.reshape(batch_size, num_pieces, *array.shape[1:]).swapaxes(0, 1)

    return {name: arranged(cut[name]) for name in ("token", "mask")}


class Continued(NamedTuple):
    """Pieces of a text, cut in two: what somebody reads, and what the text went on with."""

    prompt: np.ndarray  # [M, P]
    text: np.ndarray  # [M, N]


def continued(tokens: np.ndarray, count: int, prompt_length: int, length: int) -> Continued:
    """Prompts at equal distances in a text, the first at its beginning, the last at its end.

    Args:
      tokens: `[K]`, K >= P + N.
      count: M >= 1.
      prompt_length: P >= 1.
      length: N >= 1.

    Raises:
      BadInput: if the text is shorter than a piece.
    """
    whole = prompt_length + length
    if len(tokens) < whole:
        raise BadInput(f"a text of {len(tokens)} tokens has no piece of {whole}")
    places = np.linspace(0, len(tokens) - whole, count).astype(int)
    pieces = tokens[places[:, None] + np.arange(whole)]
    return Continued(pieces[:, :prompt_length], pieces[:, prompt_length:])
