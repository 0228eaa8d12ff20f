"""Answers about told scenes are right, read back by a grammar of their own; what is held out is what is asked for."""

import re

import numpy as np
import pytest

from adl import data
from adl.data.captioned import captioned_pictures, contrasts, questioned_pictures
from adl.data.scenes.questions import COUNTS, KINDS, questions_about
from adl.data.scenes.told import HELD_OUT, HUES, NOUNS, PLACES

PARTS = ("train", "test", "held_out")


@pytest.fixture(scope="module")
def sample():
    return {name: data.load("scenes/told_sample", name) for name in PARTS}


def right_answer(text: str, things: list[tuple[str, str, str]]) -> str:
    """By the words of the question alone, from (hue, noun, place) of each thing; one answer is possible."""
    if found := re.fullmatch(r"what (colour|shape) is the (.+)\?", text):
        which = found[2].removesuffix(" thing").removeprefix("thing ")
        (thing,) = [thing for thing in things if which in thing]
        return thing[0] if found[1] == "colour" else thing[1]
    if found := re.fullmatch(r"how many (\w+?)(?: (\w+))? are there\?", text):
        if found[1] == "things":
            return COUNTS[len(things)]
        name = (
            found[1] if found[2] else {f"{noun}es" if noun == "cross" else f"{noun}s": noun for noun in NOUNS}[found[1]]
        )
        return COUNTS[sum(name in thing for thing in things)]
    first, second = re.fullmatch(r"is the (.+) left of the (.+)\?", text).groups()
    ((a,), (b,)) = ([place for hue, noun, place in things if f"{hue} {noun}" == name] for name in (first, second))
    assert a.endswith("left") != b.endswith("left")
    return "yes" if a.endswith("left") else "no"


def test_answers_are_right(sample):
    for split in sample.values():
        colour, noun = split.column("colour"), split.column("noun")
        asked = questions_about(colour, noun, seed=0)
        for question in asked:
            things = [
                (HUES[colour[question.scene, p] - 1], NOUNS[noun[question.scene, p] - 1], PLACES[p])
                for p in np.flatnonzero(noun[question.scene])
            ]
            assert right_answer(question.text, things) == question.answer, question.text
        assert {question.kind for question in asked} == set(range(len(KINDS)))


def test_what_is_held_out_is_what_is_asked_for(sample):
    split, pairs = sample["held_out"], {(HUES[h], NOUNS[n]) for h, n in HELD_OUT}
    colour, noun = split.column("colour"), split.column("noun")
    for question in questions_about(colour, noun, seed=0):
        there = {(HUES[h - 1], NOUNS[n - 1]) for h, n in zip(colour[question.scene], noun[question.scene], strict=True)}
        new = there & pairs
        if question.kind == 0:
            assert question.answer in {hue for hue, _ in new}
        elif question.kind == 1:
            assert question.answer in {shape for _, shape in new}
        elif question.kind == 3:
            assert any(f"the {hue} {shape}" in question.text for hue, shape in new)


def test_rows_are_questions_and_the_mask_is_on_the_answer():
    found = questioned_pictures("scenes/told_sample", of=PARTS)
    for part, split in enumerate(found.splits):
        is_word, mask, following = split.column("kind") < len(KINDS), split.column("mask"), split.column("token")[:, 1:]
        assert (mask[is_word].sum(1) == 1).all() and is_word.all() == (part > 0)
        answers = {found.words[token] for token in following[is_word][mask[is_word] > 0]}
        assert answers <= {*HUES, *NOUNS, *COUNTS, "yes", "no"}
        for row, counts in zip(following[~is_word], mask[~is_word], strict=True):
            told, _, end = found.text(row[counts > 0]).partition("end")
            assert found.text(row) == f"what is there ? {told}" and row[counts > 0][-1] == found.end and not end


def test_captions_are_told_by_place_up_to_an_end(sample):
    found = captioned_pictures("scenes/told_sample", of=PARTS)
    for split, read in zip(sample.values(), found.splits, strict=True):
        for row, mask, told in zip(read.column("token"), read.column("mask"), split.column("caption"), strict=True):
            text = found.text(row)
            parts = text.split(", ")
            assert sorted(parts) == sorted(told.decode().split(", "))
            places = [PLACES.index(" ".join(part.split()[-2:])) for part in parts]
            assert places == sorted(places)
            assert mask.sum() == len(text.replace(",", " ,").split()) + 1 and row[1:][int(mask.sum()) - 1] == found.end


def test_contrasts_exchange_two_colours_and_know_what_is_alone():
    found = captioned_pictures("scenes/told_sample", of=PARTS)
    for split in found.splits:
        of = contrasts(found, split)
        rows = zip(split.column("token"), *of[:2], split.column("noun"), of.pair, strict=True)
        for own, other, differs, noun, pair in rows:
            words, others = found.text(own).split(), found.text(other).split()
            assert differs == (words != others)
            if differs:
                assert (words[1], words[6]) == (others[6], others[1]) and words[2:6] == others[2:6]
            assert (pair >= 0) == ((noun > 0).sum() == 1)
            if pair >= 0:
                assert any((own == prompt).all() for prompt in of.prompts[pair])
