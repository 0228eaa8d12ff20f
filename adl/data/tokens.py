"""Tokens: the pieces that a text is read in. Characters, pairs of bytes merged by how often they meet, or words."""

import functools
import hashlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from adl.core import BadInput

UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # stands for every character that the training text does not have
UNKNOWN_WORD, END_OF_LINE = "<unk>", "<eos>"  # as in the Penn Treebank of language models

Kind = Literal["char", "bpe", "word"]
Parting = Literal["spaces", "punctuation"]  # what parts words: spaces alone, as in the Penn Treebank, or both
PATTERNS: dict[Parting, str] = {"spaces": r"\S+", "punctuation": r"\w+|[^\w\s]"}


class Tokens(NamedTuple):
    """A tokeniser with V tokens, made from a training text."""

    encode: Callable[[str], np.ndarray]  # text -> [N] int32 in 0 ... V - 1
    decode: Callable[[Sequence[int]], str]  # and back
    vocabulary: tuple[str, ...]  # V texts, what each token stands for
    size: np.ndarray  # [V] float32: characters that a token counts for in nats a character; words: 1
    start: int  # the token that stands before a text: the end of a line
    unit: str = "character"  # of `size`: "character" or "word"


def of(kind: Kind, text: str, vocab_size: int = 0, *, parting: Parting = "punctuation") -> Tokens:
    """The tokeniser of a training text, by the name of its kind.

    Args:
      kind: "char", "bpe" or "word": `characters`, `byte_pairs` or `words`.
      text: training text, not empty.
      vocab_size: of byte pairs or words, at most; 0: 1024 or 10000, and of characters: all there are.
      parting: of words.

    Raises:
      BadInput: if the vocabulary has no room, or is to be of so many characters.
    """
    if kind == "char":
        if vocab_size:
            raise BadInput(f"--vocab_size {vocab_size}: characters are all there are; leave it out, or --tokens bpe")
        return characters(text)
    if kind == "bpe":
        return byte_pairs(text, vocab_size or 1024)
    return words(text, vocab_size or 10000, pattern=PATTERNS[parting])


def characters(text: str) -> Tokens:
    """A token for each character of the training text, in the order of Unicode.

    One more, U+FFFD, stands for all that it does not have, which is read, predicted and decoded as that.

    Args:
      text: training text, not empty.
    """
    vocabulary = tuple(sorted({*text, UNKNOWN, "\n"}))
    unknown = vocabulary.index(UNKNOWN)
    points = np.array([ord(character) for character in vocabulary])  # ascending

    def encode(text: str) -> np.ndarray:
        point = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        index = np.searchsorted(points, point).clip(max=len(points) - 1)
        return np.where(points[index] == point, index, unknown).astype(np.int32)

    def decode(tokens: Sequence[int]) -> str:
        return "".join(vocabulary[token] for token in tokens)

    return Tokens(encode, decode, vocabulary, np.ones(len(vocabulary), np.float32), vocabulary.index("\n"))


def words(text: str, vocab_size: int, *, pattern: str = PATTERNS["spaces"]) -> Tokens:
    r"""The most frequent words, a token for all others, `<unk>`, and one for the end of a line, `<eos>`.

    As the Penn Treebank is read by language models, whose text has its words apart already. The spaces between words
    are lost.

    Args:
      text: training text, not empty.
      vocab_size: V >= 2, at most; of words that are equally frequent those stay that come first in the text.
      pattern: regular expression of a word; `\w+|[^\w\s]` takes punctuation off.

    Raises:
      BadInput: if the vocabulary has no room.
    """
    if vocab_size < 2:
        raise BadInput(f"a vocabulary of {vocab_size} words: it must be >= 2")

    def split(text: str) -> list[str]:
        lines = text.split("\n")
        found = [word for line in lines for word in (*re.findall(pattern, line), END_OF_LINE)]
        return found[:-1]  # behind the last line break there is no line

    counts = Counter(split(text))
    counts.pop(END_OF_LINE, None)
    counts.pop(UNKNOWN_WORD, None)  # some texts have it
    kept = [word for word, _ in counts.most_common(vocab_size - 2)]
    vocabulary = (UNKNOWN_WORD, END_OF_LINE, *kept)
    index = {word: token for token, word in enumerate(vocabulary)}

    def encode(text: str) -> np.ndarray:
        return np.array([index.get(word, 0) for word in split(text)], np.int32)

    def decode(tokens: Sequence[int]) -> str:
        return " ".join("\n" if token == 1 else vocabulary[token] for token in tokens).replace(" \n ", "\n")

    return Tokens(encode, decode, vocabulary, np.ones(len(vocabulary), np.float32), 1, "word")


def byte_pairs(text: str, vocab_size: int) -> Tokens:
    """Bytes, and the pairs of tokens that meet most often in the training text, merged again and again.

    Every text can be read: what has no merge stays bytes. Of the library `tokenizers`; a vocabulary that was trained
    is kept, under the digest of its text, in `$XDG_CACHE_HOME/adl/tokens` (`~/.cache` without the variable).

    Args:
      text: training text, not empty.
      vocab_size: V >= 256, at most.

    Raises:
      BadInput: if the vocabulary has no room for all bytes.

    Source: Sennrich, Haddow & Birch 2016, arXiv:1508.07909, section 3.2; on bytes: Radford et al. 2019, section 2.2.
    """
    if vocab_size < 256:
        raise BadInput(f"a vocabulary of {vocab_size} byte pairs: it must be >= 256")
    tokenizer = trained_pairs(text, vocab_size)
    byte = {character: value for value, character in enumerate(letters())}
    tokens = [tokenizer.id_to_token(token) for token in range(tokenizer.get_vocab_size())]
    # A character has one byte that does not continue another.
    size = [sum(byte[letter] & 0xC0 != 0x80 for letter in token) for token in tokens]
    vocabulary = tuple(bytes(byte[letter] for letter in token).decode(errors="replace") for token in tokens)

    def encode(text: str) -> np.ndarray:
        return np.array(tokenizer.encode(text).ids, np.int32)

    def decode(tokens: Sequence[int]) -> str:
        return tokenizer.decode([int(token) for token in tokens])

    return Tokens(encode, decode, vocabulary, np.array(size, np.float32), int(encode("\n")[0]))


@functools.lru_cache(maxsize=4)
def trained_pairs(text: str, vocab_size: int):
    """The library's tokeniser of `byte_pairs`, from the cache or trained now."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    digest = hashlib.sha256(f"{tokenizers.__version__} {vocab_size} {text}".encode()).hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adl" / "tokens" / f"{digest}.json"
    if os.path.isfile(cache):
        return tokenizers.Tokenizer.from_file(str(cache))
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache.parent, suffix=".tmp", delete=False, encoding="utf-8") as aside:
            aside.write(tokenizer.to_str())
        os.replace(aside.name, cache)  # whole, so that processes may race
    except OSError:
        pass  # a cache that cannot be written costs the next process a minute, no more
    return tokenizer


def letters() -> list[str]:
    """The letter by which byte-level vocabularies write each byte: its own where it is printable, else one above."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(value if value in printable else next(others)) for value in range(256)]
