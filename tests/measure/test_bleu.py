"""BLEU is sacreBLEU's, to the last digit, and so are its words."""

import numpy as np
import pytest

from adl.measure.bleu import SIGNATURE, corpus_bleu, words_13a

sacrebleu = pytest.importorskip("sacrebleu", reason="extra test")
ODD = [
    'He paid $3,000.50 for "it"... (didn\'t he?) -- 5-6 times, 10,5.',
    "a&quot;b&amp;c e-mail/post @home [x] {y} ~z^ A.B.C. 1.",
    ",5 .5 5. Two men; one: a dog!  Straße über Änderung – “so”",
    "",
]


@pytest.mark.parametrize("text", ODD)
def test_words(text):
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    assert words_13a(text) == Tokenizer13a()(text).split()


@pytest.mark.parametrize("length", [2, 4, 9])
def test_bleu(length):
    """Of corpora that share much, little and nothing of three or four words in a row."""
    rng = np.random.default_rng(length)
    words = np.array("a man , dog runs the Big big over hill . 3.5 10-4 street".split())
    wanted = [" ".join(words[rng.integers(len(words), size=length)]) for _ in range(20)]
    for share in (0.0, 0.3, 0.7, 1.0):
        said = [
            " ".join(np.where(rng.random(length) < share, text.split(), words[rng.integers(len(words), size=length)]))
            for text in wanted
        ]
        said[0] = said[0].rpartition(" ")[0]
        metric = sacrebleu.BLEU()
        np.testing.assert_allclose(corpus_bleu(said, wanted), metric.corpus_score(said, [wanted]).score, rtol=1e-12)
    assert SIGNATURE in str(metric.get_signature())


def test_nothing_said_is_nothing():
    assert corpus_bleu(["", ""], ["a b c d", "e f g h"]) == 0
