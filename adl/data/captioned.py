"""Told scenes with words as rows of tokens: their captions, or questions about them with their answers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.data.scenes.questions import KINDS, AskedAbout, questions_about
from adl.data.scenes.told import HUES, NOUNS, PLACES, telling
from adl.data.source import splits
from adl.data.split import Split
from adl.data.text import Captions


class CaptionedPictures(NamedTuple):
    """Splits of one data set, whose captions have the words of the first."""

    splits: tuple[Split, ...]  # "image" [N, H, W, C], "token" [N, T + 1] int32, "mask" [N, T]: 1 up to the first end
    captions: Captions  # how they are read; its padding is the end

    @property
    def end(self) -> int:
        """The token behind a caption."""
        return self.captions.padding

    @property
    def vocab_size(self) -> int:
        """V, words and the end."""
        return self.end + 1

    @property
    def words(self) -> list[str]:
        """V, what each token stands for."""
        return [*self.captions.tokens.vocabulary, "end"]

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """`[N, T + 1]` of captions in words, the end behind each."""
        return np.pad(self.captions.rows(texts), ((0, 0), (0, 1)), constant_values=self.end)

    def text(self, tokens: Sequence[int]) -> str:
        """A caption in words, up to its end."""
        words = [int(token) for token in tokens]
        words = words[: words.index(self.end)] if self.end in words else words
        words = [word for word in words if word != self.captions.tokens.start]
        return self.captions.tokens.decode(words).replace(" ,", ",")

    def tests(self, num: int = 0) -> Split:
        """All splits but the first as one, and "kind" `[N]`: which each is of, or that times `num` and its own kind."""
        parts = [split.arrays for split in self.splits[1:]]
        kinds = [np.full(len(part["token"]), k) * max(num, 1) + part.get("kind", 0) for k, part in enumerate(parts)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in ("image", "token", "mask")}
        return Split({**columns, "kind": np.concatenate(kinds).astype(np.int32)})

    def shown(self, columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What `show.where_words_look` is told of pictures "image" and their captions "token" `[R, T + 1]`."""
        return {"image": columns["image"], "wanted": columns["token"][:, 1:], "words": self.words, "text": self.text}

    def gallery(self, num: int) -> dict[str, Any]:
        """What `show.pictures_and_captions` is told of the first so many of the second split."""
        first = self.splits[1].first(num)
        return {"image": first.column("image"), "texts": [self.text(row) for row in first.column("token")]}

    def asked(self, questions: Split, *, each: int) -> dict[str, Any]:
        """What `show.asked_of_pictures` is told of so many questions of the first and of the second half of a split."""
        rows = np.concatenate([np.arange(each), len(questions) - np.arange(each, 0, -1)])
        found = questions.take(rows)
        texts = [self.text(row).split(" ? ") for row in found["token"]]
        question, answer = ([text[at] for text in texts] for at in (0, -1))
        asked = [f"{text}?" for text in question]
        return {"image": found["image"], "question": asked, "answer": answer, "rows": rows, "words": self.words}


def captioned_pictures(name: str, *, of: Sequence[str], **how: Any) -> CaptionedPictures:
    """Told scenes with what is in them, told place by place: so there is one right caption.

    Beside "token" and "mask" the splits have "colour" and "noun" `[N, 4]`, as in `told.Captioned`.

    Args:
      name: of a data set with "image", "colour" and "noun", as `scenes/told`.
      of: the splits, in TFDS's words; the words of the first are known.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.splits`; or if a later split has other words.
    """
    found = splits(name, "image", "colour", "noun", of=of, **how)
    texts = [captions_by_place(split) for split in found]
    captions = Captions.of(texts[0])
    return CaptionedPictures(
        tuple(_read(split, captions, words) for split, words in zip(found, texts, strict=True)), captions
    )


class Contrasts(NamedTuple):
    """Captions that pictures must be told from, of told scenes."""

    exchanged: np.ndarray  # [N, T + 1] each picture's own, with the colours of its first two things exchanged
    differs: np.ndarray  # [N] whether there are two, of different colours
    prompts: np.ndarray  # [K, 4, T + 1] a thing of each pair of colour and noun, at each place
    pair: np.ndarray  # [N] which of these pairs is alone in the picture; -1: there are several things


def contrasts(pictures: CaptionedPictures, split: Split) -> Contrasts:
    """Of a split of `captioned_pictures`."""
    colour, noun, texts = split.column("colour").copy(), split.column("noun"), []
    differs, pair = np.zeros(len(split), bool), np.full(len(split), -1, np.int32)
    for row, kinds in enumerate(noun):
        here = np.flatnonzero(kinds)
        if len(here) == 1:
            pair[row] = (colour[row, here[0]] - 1) * len(NOUNS) + kinds[here[0]] - 1
        else:
            differs[row] = colour[row, here[0]] != colour[row, here[1]]
            colour[row, here[:2]] = colour[row, here[1::-1]]
        texts.append(telling(colour[row], kinds, range(len(PLACES))))
    alone = [f"a {hue} {kind} {place}" for hue in HUES for kind in NOUNS for place in PLACES]
    exchanged, prompts = (pictures.rows(told) for told in (texts, alone))
    return Contrasts(exchanged, differs, prompts.reshape(-1, len(PLACES), prompts.shape[1]), pair)


def captions_by_place(split: Split) -> list[str]:
    """What is in each told scene, in the order of `told.PLACES`."""
    columns = zip(split.column("colour"), split.column("noun"), strict=True)
    return [telling(colour, noun, range(len(PLACES))) for colour, noun in columns]


def _read(split: Split, captions: Captions, texts: Sequence[str]) -> Split:
    rows = np.pad(captions.rows(texts), ((0, 0), (0, 1)), constant_values=captions.padding)
    is_end = rows[:, 1:] == captions.padding
    mask = (np.cumsum(is_end, 1) <= 1).astype(np.float32)
    return Split({**split.take(np.arange(len(split))), "token": rows, "mask": mask}, split.info)


def questioned_pictures(name: str, *, of: Sequence[str], **how: Any) -> CaptionedPictures:
    """Told scenes with questions about them, each with one word as its answer, as of `scenes.questions`.

    A picture comes once with each of its questions; in the first split, to learn from, also with "what is there?" and
    its caption. Beside "token", a question and its answer, and "mask", 1 where the answer follows, of captions also
    their end, the splits have "kind" `[N]`, of `scenes.questions.KINDS`, and one more for captions.

    Args:
      name: as in `captioned_pictures`, and so are the others.
      of: the splits; what is asked is of its own in each.
      **how: as in `data.load`.
    Raises:
      BadInput: as `captioned_pictures`.
    """
    found = splits(name, "image", "colour", "noun", of=of, **how)
    asked = [questions_about(one.column("colour"), one.column("noun"), seed=seed) for seed, one in enumerate(found)]
    asked[0] += [
        AskedAbout(scene, len(KINDS), "what is there?", told) for scene, told in enumerate(captions_by_place(found[0]))
    ]
    texts = [[f"{question.text} {question.answer}" for question in part] for part in asked]
    captions = Captions.of([f"{text} ?" for text in texts[0]])  # room for the longest and its end
    pictures = []
    for split, part, words in zip(found, asked, texts, strict=True):
        scene, kind = (np.array(column) for column in zip(*((one.scene, one.kind) for one in part), strict=True))
        rows = captions.rows(words)
        mask = np.cumsum(rows == captions.tokens.encode("?")[0], 1)[:, :-1] > 0  # behind the question
        mask &= rows[:, :-1] != captions.padding
        mask[kind < len(KINDS)] &= rows[kind < len(KINDS), 1:] != captions.padding  # one word: its end is known
        columns = {"image": split.column("image")[scene], "token": rows, "mask": mask.astype(np.float32)}
        pictures.append(Split({**columns, "kind": kind.astype(np.int32)}, split.info))
    return CaptionedPictures(tuple(pictures), captions)
