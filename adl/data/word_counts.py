"""Counts of words and of pairs of words, and the classes that they speak for: naive Bayes."""

from collections.abc import Sequence

import numpy as np

from adl.data.labelled_texts import HeldOutTexts, LabelledTexts


def naive_bayes(texts: Sequence[str], label: np.ndarray, asked: Sequence[str], *, longest: int = 2) -> np.ndarray:
    """`[M, K]` log-probabilities of classes, from which words, and rows of up to `longest` words, a text has at all.

    Args:
      texts: N to learn from.
      label: `[N]` integers.
      asked: M others.
      longest: >= 1.
    Source: scikit-learn's `MultinomialNB`; of what is there or not: Wang & Manning 2012, ACL, section 2.1.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    counts = CountVectorizer(ngram_range=(1, longest), binary=True, token_pattern=r"\S+", lowercase=False)
    return MultinomialNB().fit(counts.fit_transform(texts), label).predict_log_proba(counts.transform(asked))


def right_by_counts(known: LabelledTexts, part: HeldOutTexts) -> np.ndarray:
    """`[M, F]` 1 where naive Bayes on words and pairs of words is right, each learner's from what it learns from."""
    right = np.zeros(part.split.arrays["label"].shape, np.float32)
    label, fold = known.train.arrays["label"], known.train.arrays["fold"]
    for place, (left_out, asked) in enumerate(zip(known.folds, part.texts, strict=True)):
        rows = np.flatnonzero(fold != left_out)
        said = naive_bayes([known.texts[i] for i in rows], label[rows], asked).argmax(1)
        right[: len(asked), place] = said == part.split.arrays["label"][: len(asked), place]
    return right
