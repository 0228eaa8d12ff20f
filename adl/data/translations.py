"""Texts in two languages, as rows of the same byte pairs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.ragged import pad
from adl.data.source import load
from adl.data.split import Split
from adl.data.tokens import Tokens, byte_pairs

FEW, SHORT = 8, 24  # texts that are looked at; tokens of one that is


class Translations(NamedTuple):
    """What translators learn from, and are tested on.

    Columns: "source" `[N, U]` and "target" `[N, T + 1]` int32, the latter from the token that stands before a text to
    the same behind it; "source_mask" and "target_mask" of the same shapes, boolean.
    """

    train: Split
    tests: dict[str, Split]
    texts: dict[str, tuple[list[str], list[str]]]  # of each test sources and targets, as they were
    tokens: Tokens  # of both languages

    def example(self, test: str) -> tuple[np.ndarray, np.ndarray]:
        """Source `[U]` and target `[T + 1]`, no padding, of one of a test's first hundred: long, but not too long."""
        arrays = self.tests[test].arrays
        lengths = arrays["source_mask"].sum(1)
        row = int(np.where(lengths <= SHORT, lengths, -lengths)[:100].argmax())
        return tuple(arrays[side][row][arrays[f"{side}_mask"][row]] for side in ("source", "target"))

    def few(self, test: str, count: int = FEW) -> dict[str, list[str]]:
        """The first sources and targets of a test, as text."""
        return {name: texts[:count] for name, texts in zip(("sources", "targets"), self.texts[test], strict=True)}

    def pieces(self, test: str) -> dict[str, list[str]]:
        """The tokens of `example` as text: of the "source", and of the "target" those that are written."""
        source, target = ([self.tokens.vocabulary[one] for one in row] for row in self.example(test))
        return {"source": source, "target": target[1:]}

    def written(self, token: np.ndarray) -> str:
        """What a row of a target's tokens says, up to its end."""
        kept = np.asarray(token)
        ends = np.flatnonzero(kept == self.tokens.start)
        return self.tokens.decode(kept[: ends[0]] if len(ends) else kept)


def translations(
    name: str,
    languages: tuple[str, str],
    *,
    train: str = "train",
    tests: Sequence[str] = ("test",),
    vocab_size: int = 512,
    length: int = 64,
    **how: Any,
) -> Translations:
    """Pairs of texts of a data set, in byte pairs of both languages of what is learned from.

    Args:
      name: of a data set with a column for each language, as in `data.load`.
      languages: the columns, from and to.
      train: split to learn from.
      tests: to be tested on, each by its name, without what is taken of it.
      vocab_size: byte pairs, at most.
      length: tokens of a text that is learned from, at most: longer pairs are left out. Of tests all are read.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`; or if a text is empty, or no pair is short enough.
    """
    pairs = {part: _pairs(name, part, languages, **how) for part in (train, *tests)}
    tokens = byte_pairs("\n".join(text for pair in zip(*pairs[train], strict=True) for text in pair), vocab_size)
    coded = {part: [[tokens.encode(text) for text in side] for side in sides] for part, sides in pairs.items()}
    short = [i for i, pair in enumerate(zip(*coded[train], strict=True)) if max(map(len, pair)) < length]
    if not short:
        raise BadInput(f"--length {length}: no pair in {train} of {name} is as short; take more")
    coded[train] = [[side[i] for i in short] for side in coded[train]]
    splits = {part: _split(*sides, tokens.start) for part, sides in coded.items()}
    by_name = {part.partition("[")[0]: part for part in tests}
    texts = {name: tuple(pairs[part]) for name, part in by_name.items()}
    return Translations(splits[train], {name: splits[part] for name, part in by_name.items()}, texts, tokens)


def _split(sources: list[np.ndarray], targets: list[np.ndarray], start: int) -> Split:
    source, source_mask = pad(sources)
    end = np.array([start], np.int32)
    target, target_mask = pad([np.concatenate([end, row, end]) for row in targets], value=start)
    masks = {"source_mask": source_mask > 0, "target_mask": target_mask > 0}
    return Split({"source": source, "target": target, **masks})


def _pairs(name: str, part: str, languages: tuple[str, str], **how: Any) -> list[list[str]]:
    """Texts of both languages, a line each."""
    split = load(name, part, wanted=languages, **how).require(*languages)
    sides = []
    for language in languages:
        found = [one.decode() if isinstance(one, bytes) else str(one) for one in split.arrays[language]]
        sides.append([" ".join(text.split()) for text in found])
        if "" in sides[-1]:
            raise BadInput(f"data set {name}, split {part}: {language} of row {sides[-1].index('')} is empty")
    return sides
