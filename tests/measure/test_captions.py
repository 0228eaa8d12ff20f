"""BLEU is that of sacreBLEU 2.6, without its tokeniser and without smoothing, on texts of words."""

import numpy as np
import pytest

from adl.measure.captions import bleu_of_tokens, caption_scores

SAID = [
    "a red disc top left , a cyan star bottom right",
    "a blue cross top right",
    "a green green star",
    "a pink disc bottom left , a pink disc",
]
WANTED = [
    "a red disc top left , a blue star bottom right",
    "a blue cross top right , a red disc bottom left",
    "a green star top left",
    "a pink disc bottom left",
]
WORDS = sorted({word for text in SAID + WANTED for word in text.split()})
END = len(WORDS)


def rows(texts: list[str]) -> np.ndarray:
    """Tokens `[M, 13]`; behind the first end there is anything."""
    found = np.random.default_rng(0).integers(0, END, (len(texts), 13))
    for row, text in zip(found, texts, strict=True):
        tokens = [WORDS.index(word) for word in text.split()]
        row[: len(tokens) + 1] = [*tokens, END]
    return found


@pytest.mark.parametrize(
    ("said", "wanted", "score"),
    [
        (SAID, WANTED, 0.5644679947141932),
        (SAID[:2], WANTED[:2], 0.5329651592062769),  # shorter than wanted
        (WANTED, WANTED, 1.0),
        (SAID[2:3], WANTED[2:3], 0.0),  # no four words hit
    ],
)
def test_bleu_is_that_of_sacrebleu(said, wanted, score):
    np.testing.assert_allclose(bleu_of_tokens(rows(said), rows(wanted), end=END), score, atol=1e-5)


def test_a_text_is_right_up_to_its_end():
    scores = caption_scores(
        rows(["a red disc", "a red disc", "a red"]), rows(["a red disc", "a red", "a red disc"]), end=END
    )
    np.testing.assert_allclose(scores["exact"].value, 1 / 3, rtol=1e-6)
