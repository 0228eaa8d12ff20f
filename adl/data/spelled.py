"""Numbers and dates in words, of German and of English: what is said first in one is last in the other.

siebenunddreißigtausendachtzehn         thirty-seven thousand and eighteen
am dritten mai neunzehnhundertfünf      on the third of may nineteen oh-five
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled

_GERMAN = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
)
GERMAN = (*_GERMAN.split(), "achtzehn", "neunzehn")
ZIG = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
ENGLISH = (*_ENGLISH.split(), "eighteen", "nineteen")
TY = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
ORDINALS |= {"twelve": "twelfth"}
ORDINALE = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
MONATE = "januar februar märz april mai juni juli august september oktober november dezember".split()
MONTHS = "january february march april may june july august september october november december".split()
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
RESERVED = (27, 34, 42, 58, 63, 76, 85, 91)  # never said in training, though 20, 30 ... and 1, 2 ... are


def german(number: int) -> str:
    """A number in 0 ... 999,999 in German, as one word."""
    thousands, rest = divmod(number, 1000)
    words = f"{_hundreds(thousands)}tausend" * (thousands > 0)
    if rest or not number:
        words += _hundreds(rest) if number else "null"
    return f"{words}s" if number % 100 == 1 else words


def _hundreds(number: int) -> str:
    """Below 1000, as before another word: ein, not eins."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = f"{GERMAN[hundreds]}hundert" * (hundreds > 0)
    if rest and rest < 20:
        return words + GERMAN[rest]
    return words + f"{GERMAN[ones]}und" * (ones > 0) + ZIG[tens]


def english(number: int) -> str:
    """A number in 0 ... 999,999 in British English."""
    thousands, rest = divmod(number, 1000)
    parts = [f"{english(thousands)} thousand"] if thousands else []
    hundreds, below = divmod(rest, 100)
    if hundreds:
        parts.append(f"{ENGLISH[hundreds]} hundred")
    text = ", ".join(parts)
    if parts and not below:
        return text
    tens, ones = divmod(below, 10)
    last = ENGLISH[below] if below < 20 else TY[tens] + f"-{ENGLISH[ones]}" * (ones > 0)
    return f"{text} and {last}" if parts else last


def ordinal(number: int) -> str:
    """A number in 1 ... 99 as one in a row: first, twenty-third."""
    stem, dash, last = english(number).rpartition("-")
    last = ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{stem}{dash}{last}"


def ordinale(number: int) -> str:
    """The same in German: erste, dreiundzwanzigste."""
    return ORDINALE.get(number) or f"{german(number)}{'te' if number < 20 else 'ste'}"


def year_in_german(year: int) -> str:
    """A year in 1100 ... 2099: in hundreds, but from 2000 on as a number."""
    century, rest = divmod(year, 100)
    return german(year) if century >= 20 else f"{GERMAN[century]}hundert{german(rest) if rest else ''}"


def year_in_english(year: int) -> str:
    """A year in 1100 ... 2099: two numbers, but from 2000 to 2009 one."""
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return english(year)
    return f"{english(century)} {'hundred' if not rest else f'oh-{english(rest)}' if rest < 10 else english(rest)}"


class SpelledDeEn(Bundled):
    """Numbers up to 999,999 and dates from 1100 to 2099, three to one, in German and English, none of them twice.

    9,000 to train, 1,000 to test, and 500 `combinations`: each has a number of `RESERVED` in it, of which in train and
    test there are none, though there are all of its parts.
    """

    name = "spelled_de_en"
    SIZES = {"train": 9000, "test": 1000, "combinations": 500}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Numbers and dates in words, of German and English.",
            features=tfds.features.FeaturesDict({"de": tfds.features.Text(), "en": tfds.features.Text()}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        seen: set[str] = set()
        found = {}
        for seed, (name, size) in enumerate(self.SIZES.items()):
            generator, pairs = np.random.default_rng(seed), []
            while len(pairs) < size:
                pair = number_or_date(generator, is_new=name == "combinations", is_date=len(pairs) % 4 == 3)
                if pair[0] not in seen:
                    seen.add(pair[0])
                    pairs.append(pair)
            found[name] = self._generate_examples(pairs)
        return found

    def _generate_examples(self, pairs: list[tuple[str, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (de, en) in enumerate(pairs):
            yield index, {"de": de, "en": en}


def number_or_date(generator: np.random.Generator, *, is_new: bool = False, is_date: bool = False) -> tuple[str, str]:
    """A number or a date by chance in German and in English, with a number of `RESERVED` in it, or with none."""
    while True:
        if is_date:
            year, month = int(generator.integers(1100, 2100)), int(generator.integers(12))
            day = 1 + int(generator.integers(DAYS[month]))
            parts = (year // 100, year % 100, day)
            de = f"am {ordinale(day)}n {MONATE[month]} {year_in_german(year)}"
            en = f"on the {ordinal(day)} of {MONTHS[month]} {year_in_english(year)}"
        else:
            number = int(generator.integers(10 ** generator.integers(1, 7)))  # as many of each length
            parts = (number // 1000 % 100, number % 100)
            de, en = german(number), english(number)
        if any(part in RESERVED for part in parts) == is_new:
            return de, en
