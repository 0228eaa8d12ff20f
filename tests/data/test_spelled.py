"""Numbers and dates in words are num2words's."""

import numpy as np
import pytest

from adl.data import spelled

num2words = pytest.importorskip("num2words", reason="extra test").num2words
NUMBERS = [*range(1200), *np.random.default_rng(0).integers(1000000, size=800).tolist(), 999999, 100000, 1001, 21000]


@pytest.mark.parametrize(("language", "say"), [("de", spelled.german), ("en", spelled.english)])
def test_numbers(language, say):
    """But 101,000 and the like, of which num2words says einhunderteinstausend, against the Duden."""
    asked = [n for n in NUMBERS if language == "en" or n // 1000 % 100 != 1 or n < 2000]
    assert [say(n) for n in asked] == [num2words(n, lang=language) for n in asked]
    assert spelled.german(101001) == "einhunderteintausendeins"


@pytest.mark.parametrize(("language", "say"), [("de", spelled.year_in_german), ("en", spelled.year_in_english)])
def test_years(language, say):
    assert [say(n) for n in range(1100, 2100)] == [num2words(n, lang=language, to="year") for n in range(1100, 2100)]


@pytest.mark.parametrize(("language", "say"), [("de", spelled.ordinale), ("en", spelled.ordinal)])
def test_places_in_a_row(language, say):
    assert [say(n) for n in range(1, 32)] == [num2words(n, lang=language, to="ordinal") for n in range(1, 32)]


def test_combinations_are_new_and_their_parts_are_not():
    generator = np.random.default_rng(0)
    known = [spelled.number_or_date(generator, is_date=i % 4 == 3)[1] for i in range(400)]
    new = [spelled.number_or_date(generator, is_new=True, is_date=i % 4 == 3)[1] for i in range(100)]
    words = {spelled.english(number) for number in spelled.RESERVED}
    words |= {spelled.ordinal(number) for number in spelled.RESERVED}

    def has_one(text: str) -> bool:
        return any(word in text.replace(",", "").split() for word in words)

    assert not any(map(has_one, known)) and all(map(has_one, new))
