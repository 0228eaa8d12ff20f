"""A person and a language model: answers in turn, what cannot be read in one line, and leaving."""

from types import SimpleNamespace

import numpy as np
import pytest

from adl.core import BadInput
from adl.run.chat import chat
from adl.run.offer import Cells, Offer, Text

LETTERS = Text(lambda text: np.array([ord(c) for c in text]), lambda tokens: "".join(map(chr, tokens)), alphabet="abc")


def asking(offer: Offer, num_axes: int = 0, key: int = 7) -> SimpleNamespace:
    """A run that says a prompt backwards, and its key."""

    def generate(prompt, key):
        return f"{offer.gives.decode(offer.takes.read(prompt)[0][::-1])} {key}"

    program = SimpleNamespace(num_axes=num_axes)
    trained = SimpleNamespace(folder="runs/x", name="x", offers={"generate": offer}, program=program, generate=generate)
    return SimpleNamespace(key=key, load=lambda: trained)


def lines(*said: str):
    left = iter(said)

    def read(_):
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return read


def test_lines_are_answered_in_turn_and_odd_ones_asked_again(capsys):
    chat(asking(Offer(None, LETTERS, LETTERS)), lines("abc", "xyz", "", "ab", "quit", "c"))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "it: cba 7" and out[-1] == "it: ba 8" and len(out) == 4
    assert "'x' is none of the characters abc; `quit` leaves" in out[1] and "the prompt is empty" in out[2]


def test_who_does_not_talk_is_told():
    for asked, told in (
        (asking(Offer(None, LETTERS, Cells())), "answers no text"),
        (asking(Offer(None, LETTERS, LETTERS), num_axes=1), "several runs"),
        (asking(Offer(None, LETTERS, LETTERS), key=-1), "--key -1"),
    ):
        with pytest.raises(BadInput, match=told):
            chat(asked, lines())
