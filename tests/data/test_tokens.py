"""Tokenisers say back what they read, whatever it is, by one rule for what they do not know."""

import os
import subprocess
import sys

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import tokens

TRAIN = "the cat sat on the mat\nthe dog sat on the cat\n" * 3
STRANGE = "the ñandú 🦤 sat\r\n\n\t on\x00"


def test_characters_are_those_of_the_training_text():
    of = tokens.characters("ba\ncab")
    assert of.vocabulary == ("\n", "a", "b", "c", "\ufffd") and of.start == 0
    np.testing.assert_array_equal(of.encode("abc\n"), [1, 2, 3, 0])
    np.testing.assert_array_equal(of.encode("zaé\U0001f9a4"), [4, 1, 4, 4])
    assert of.decode(of.encode("cab z")) == "cab\ufffd\ufffd" and of.encode("").shape == (0,)
    np.testing.assert_array_equal(of.size, 1)


def test_kinds_are_known_by_name():
    char, bpe, word = (tokens.of(kind, TRAIN) for kind in ("char", "bpe", "word"))
    assert char.vocabulary == tokens.characters(TRAIN).vocabulary and char.unit == bpe.unit == "character"
    assert bpe.vocabulary == tokens.byte_pairs(TRAIN, 1024).vocabulary
    assert word.vocabulary == tokens.words(TRAIN, 10000).vocabulary and word.unit == "word"
    text = "it is, as ever: 3 cats."
    parted, spaced = (tokens.of("word", text, 50, parting=by) for by in ("punctuation", "spaces"))
    assert set(parted.vocabulary[2:]) == {"it", "is", ",", "as", "ever", ":", "3", "cats", "."}
    assert set(spaced.vocabulary[2:]) == set(text.split())


def test_characters_are_not_to_be_so_many():
    with pytest.raises(BadInput, match="--vocab_size 9: characters are all there are"):
        tokens.of("char", TRAIN, 9)


def test_words_are_the_most_frequent():
    of = tokens.words(TRAIN, 6)
    assert of.vocabulary == ("<unk>", "<eos>", "the", "cat", "sat", "on")
    np.testing.assert_array_equal(of.encode("the  mat sat\n\non"), [2, 0, 4, 1, 1, 5])
    np.testing.assert_array_equal(of.encode("<unk> on\n"), [0, 5, 1])
    assert of.decode(of.encode("the cat\nsat\n")) == "the cat\nsat \n"
    assert tokens.words("f(x)", 9, pattern=r"\w+|[^\w\s]").vocabulary[2:] == ("f", "(", "x", ")")
    with pytest.raises(BadInput, match=">= 2"):
        tokens.words(TRAIN, 1)


def test_byte_pairs_read_every_text():
    of = tokens.byte_pairs(TRAIN, 280)
    for text in (TRAIN, STRANGE):
        assert of.decode(of.encode(text)) == text
        assert of.size[of.encode(text)].sum() == len(text)  # characters, not bytes
    assert len(of.vocabulary) == len(of.size) <= 280
    assert "".join(of.vocabulary[token] for token in of.encode(TRAIN)) == TRAIN
    assert len(of.encode(TRAIN)) < len(TRAIN) / 2
    assert of.vocabulary[of.start] == "\n"
    with pytest.raises(BadInput, match=">= 256"):
        tokens.byte_pairs(TRAIN, 255)


def test_byte_pairs_merge_the_commonest_pair_first():
    """By hand: of `aab ab ab`, with spaces joined to words, the pair (a, b) meets three times."""
    of = tokens.byte_pairs("aab ab ab", 258)
    assert of.vocabulary[256] == "ab" and of.vocabulary[257] == " ab"


def test_byte_pairs_are_the_same_in_another_process_with_and_without_the_cache(tmp_path):
    code = f"from adl.data import tokens; print(tokens.byte_pairs({TRAIN!r}, 290).vocabulary)"

    def trained(cache) -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONHASHSEED": "3"}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert trained(tmp_path) == trained(tmp_path) == str(tokens.byte_pairs(TRAIN, 290).vocabulary)
    assert len(list((tmp_path / "adl" / "tokens").iterdir())) == 1
