"""BLEU: how many runs of up to four words a translation shares with what a person wrote, as sacreBLEU counts them."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LONGEST = 4
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"  # as sacreBLEU writes what a number means
_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
_APART = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),  # full stops and commas, but within numbers
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


class Counts(NamedTuple):
    """What BLEU is made of: sums over a corpus, that merge by +."""

    matched: np.ndarray  # [4] runs of n words that the reference has, too
    total: np.ndarray  # [4] runs of n words
    length: int  # words of the translations
    reference_length: int  # words of the references


def words_13a(text: str) -> list[str]:
    """Words of a text with its punctuation apart, as the script mteval-v13a parts them."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, apart in _APART:
        text = pattern.sub(apart, text)
    return text.split()


def gram_counts(translated: Sequence[str], reference: Sequence[str]) -> Counts:
    """Counts of a corpus, one reference each."""
    matched, total, lengths = np.zeros(LONGEST, int), np.zeros(LONGEST, int), np.zeros(2, int)
    for pair in zip(translated, reference, strict=True):
        sides = [words_13a(text) for text in pair]
        lengths += [len(side) for side in sides]
        for n in range(LONGEST):
            said, wanted = (Counter(zip(*(side[i:] for i in range(n + 1)), strict=False)) for side in sides)
            matched[n] += (said & wanted).total()
            total[n] += said.total()
    return Counts(matched, total, int(lengths[0]), int(lengths[1]))


def corpus_bleu(translated: Sequence[str], reference: Sequence[str]) -> float:
    """BLEU in [0, 100], cased, of whole texts as people write them.

    100 min(1, e^(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4),   p_n = matched_n / total_n; the k-th p that is 0: 2^-k / total_n

    Source: Papineni et al. 2002, ACL, section 2.3; words and the smoothing: sacreBLEU (Post 2018, arXiv:1804.08771).
    """
    counts, smooth, logs = gram_counts(translated, reference), 1.0, 0.0
    if not counts.matched.any() or not counts.total.all():
        return 0.0
    for matched, total in zip(counts.matched, counts.total, strict=True):
        smooth *= 1 if matched else 2
        logs += math.log((matched or 1 / smooth) / total) / LONGEST
    brevity = min(0.0, 1 - counts.reference_length / counts.length)
    return 100 * math.exp(brevity + logs)
