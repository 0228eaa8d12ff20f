"""Texts with classes: reviews mean what their grammar says, folds keep apart, and odd data are told in one line."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import reviews
from adl.data.labelled_texts import PADDING, labelled_texts
from adl.data.translations import translations

CONTRARY = ("not", "nobody", "doubt", "false", "would", "cannot", "sure", "yeah")  # one of each that turns a claim


def meant(text: str) -> int:
    """By another way than they are written: the adjective of the last claim, and how many contraries are before it."""
    verdict = text.removesuffix(" , yeah right").replace("oh sure , ", "oh sure ").split(" , ")[-1].split()
    said = next(polarity for polarity, words in enumerate(reviews.ADJECTIVES) if verdict[-1] in words)
    turned = sum(verdict.count(word) for word in CONTRARY) - verdict.count("would") + text.count("yeah")
    return (said + turned) % 2


@pytest.mark.parametrize("part", reviews.Reviews.SIZES)
def test_reviews_mean_what_they_say(part):
    seen: set[str] = set()
    found = reviews.different(part, 300, 0, seen)
    assert len(seen) == 300 and [one.label for one in found] == [meant(one.text) for one in found]
    assert abs(np.mean([one.label for one in found]) - 0.5) < 0.02


def test_what_is_turned_in_combinations_is_turned_in_no_training_review():
    new = {word for words in reviews.ADJECTIVES for word in words[-4:]}
    for review in reviews.different("train", 1000, 0, set()):
        for claim in review.text.split(" , "):
            is_turned = any(word in CONTRARY for word in claim.split()) or review.kind == "ironic"
            assert not (is_turned and claim.split()[-1] in new), review.text
    found = reviews.different("combinations", 100, 0, set())
    assert all(any(word in new for word in one.text.split()) for one in found)


def write(path, rows):
    path.write_text("text,label,fold\n" + "".join(f"{text},{label},{fold}\n" for text, label, fold in rows))
    return str(path)


ROWS = [(f"film number{i} is {'good' if i % 2 else 'bad'}", "no yes".split()[i % 2], i // 2 % 2) for i in range(40)]


def test_each_fold_is_told_by_who_has_not_seen_it(tmp_path):
    known = labelled_texts(write(tmp_path / "own.csv", ROWS), folds=(1, 0), parts=("train+test", ""), length=3)
    part = known.tests["test"]
    token = part.split.arrays["token"]  # [M, F, T]
    assert token.shape == (20, 2, 3) and known.folds == (1, 0) and part.split.arrays["real"].all()
    for place, fold in enumerate(known.folds):
        own = {text: label for text, label, of in ROWS if of == fold}
        assert {*part.texts[place]} == {*own}
        labels = part.split.arrays["label"][:, place]
        for row, text in enumerate(part.texts[place]):
            assert known.tokens.decode(token[row, place]) == " ".join(text.split()[:3])
            assert known.class_names[labels[row]] == own[text]
    assert sorted(known.texts) == sorted(text for text, *_ in ROWS) and PADDING not in token


def test_a_fold_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"--folds 7: data set .*own.csv has 0, 1$"):
        labelled_texts(write(tmp_path / "own.csv", ROWS), folds=(7,), parts=("train+test", ""))


def test_an_empty_line_has_no_translation(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('de,en\neins,one\n" ",two\n' + "drei,three\n" * 20)
    with pytest.raises(BadInput, match="de lacks 1 of 22 cells"):
        translations(str(path), ("de", "en"), train="train+test", tests=())
