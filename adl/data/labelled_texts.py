"""Texts with a class each, as rows of tokens: with a test part of their own, or in folds that take turns as one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.ragged import pad
from adl.data.source import load, splits
from adl.data.split import Split
from adl.data.tokens import Tokens, of

PADDING = -1  # stands behind the end of a text


class HeldOutTexts(NamedTuple):
    """What learners are tested on, each on texts that it has not learned from."""

    split: Split  # "token" `[M, F, T]`, "label", "kind" `[M, F]`; "real" `[M, F]`, 1 where there is a text
    texts: list[list[str]]  # [F] of up to M
    kinds: tuple[str, ...] = ()  # of texts; empty: they are of one


class LabelledTexts(NamedTuple):
    """What learners of classes learn from, and are tested on."""

    train: Split  # "token" `[N, T]`, "label", "fold", "mask" `[N]`: 1 where a row counts
    texts: list[str]  # [N] of train
    folds: tuple[int, ...]  # F, the one that each learner leaves out; -1: none
    tokens: Tokens  # words of train
    class_names: tuple[str, ...]
    tests: dict[str, HeldOutTexts]


def labelled_texts(
    name: str,
    *,
    folds: Sequence[int] = (),
    parts: tuple[str, str] = ("train", "test"),
    beyond: Sequence[str] = (),
    vocab_size: int = 10000,
    length: int = 0,
    **how: Any,
) -> LabelledTexts:
    """Texts of a data set in words: its own parts, or the folds of its first part.

    The vocabulary is that of all of the first part, of a fold that is tested, too: a learner has never seen those words
    of it, and their embeddings stay as they were drawn.

    Args:
      name: of a data set with "text" and "label", and "fold" where folds are asked for, as in `data.load`.
      folds: that are tested, each by a learner of its own; none: the second part is.
      parts: to learn from, and to test.
      beyond: further parts, which are tested together, by the name "beyond".
      vocab_size: words that are known, with the one that stands for all others, at most.
      length: T, words of a text that are read, from its beginning; 0: all.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`; or if there is no such fold.
    """
    wanted = ("text", "label", "fold") if folds else ("text", "label")
    (train,) = splits(name, *wanted, of=parts[:1], num_classes=2, **how)
    texts = _texts(train, name)
    tokens = of("word", "\n".join(texts), vocab_size, parting="spaces")
    fold = train.arrays["fold"] if folds else np.zeros(len(train), np.int32)
    if missing := sorted({*folds} - {*fold.tolist()}):
        raise BadInput(f"--folds {missing[0]}: data set {name} has {', '.join(map(str, np.unique(fold)))}")

    def rows(texts: Sequence[str], length: int) -> np.ndarray:
        found = [tokens.encode(text) for text in texts]
        return pad([row[: length or len(row)] for row in found], value=PADDING)[0]

    def part(groups: list[np.ndarray], texts: list[str], split: Split, kinds: Sequence[str] = ()) -> HeldOutTexts:
        """Texts by the learner that has not seen them."""
        of_kind = split.arrays.get("kind", np.zeros(len(split), np.int32))
        columns = {"token": rows(texts, length), "label": split.arrays["label"], "kind": of_kind}
        columns["real"] = np.ones(len(split), np.float32)
        most = max(map(len, groups))
        fill = [np.resize(group, most) for group in groups]
        arrays = {key: np.stack([column[rows] for rows in fill], 1) for key, column in columns.items()}
        arrays["real"] *= np.stack([np.arange(most) < len(group) for group in groups], 1)
        return HeldOutTexts(Split(arrays, split.info), [[texts[i] for i in group] for group in groups], tuple(kinds))

    if folds:
        tests = {"test": part([np.flatnonzero(fold == k) for k in folds], texts, train)}
    else:
        tests = {"test": _whole(name, parts[1:], part, **how)}
        if beyond:
            tests["beyond"] = _whole(name, beyond, part, **how)
    arrays = {"token": rows(texts, length), "label": train.arrays["label"], "fold": fold}
    arrays["mask"] = np.ones(len(train), np.float32)
    return LabelledTexts(
        Split(arrays, train.info), texts, tuple(folds) or (-1,), tokens, tuple(train.class_names), tests
    )


def _whole(name: str, of: Sequence[str], part: Any, **how: Any) -> HeldOutTexts:
    """Splits together, as one group; their kinds are told apart, where the data set has any."""
    found = [load(name, words, wanted=("text", "label"), **how) for words in of]
    texts = [text for split in found for text in _texts(split, name)]
    arrays, kinds = {"label": np.concatenate([split.require("label").column("label") for split in found])}, []
    if all("kind" in split.names for split in found):
        columns = []
        for split, words in zip(found, of, strict=True):
            present, number = np.unique(split.arrays["kind"], return_inverse=True)
            columns.append(number.astype(np.int32) + len(kinds))
            names = [split.feature("kind").names[k] for k in present]
            kinds += [f"{one} ({words})" if words.startswith("combinations") else one for one in names]
        arrays["kind"] = np.concatenate(columns)
    return part([np.arange(len(texts))], texts, Split(arrays), kinds)


def _texts(split: Split, name: str) -> list[str]:
    """The texts of a split, on one line each; TFDS has them as bytes, tables as words."""
    found = split.require("text").arrays["text"]
    if odd := next((one for one in found if not isinstance(one, bytes | str)), None):
        raise BadInput(f"data set {name}: text must be text, not {type(odd).__name__}; --columns text=NAME names it")
    return [" ".join((one.decode() if isinstance(one, bytes) else one).split()) for one in found]
