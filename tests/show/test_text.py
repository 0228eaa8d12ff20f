"""Figures of texts write what was read, and shade what surprised."""

import matplotlib
import numpy as np

from adl import show
from adl.run.experiment import Outcome
from adl.show.text import TOP, drawable

WHAT = ("surprise", "judged", "repeated")


def decode(tokens):
    return "".join(map(chr, tokens))


def encoded(*texts):
    return np.array([[ord(c) for c in text] for text in texts])


def test_texts_stand_side_by_side_in_lines_that_fit():
    figure = show.written(encoded("a$b\n" + "x" * 96, "y" * 100), decode=decode, title="T")
    first, second = (ax.texts[0].get_text().split("\n") for ax in figure.axes)
    assert first == [r"a\$b", "x" * 80, "x" * 16] and second == ["y" * 80, "y" * 20]


def test_continuations_have_a_row_for_each_way():
    outcome = Outcome([], {"said/made_greedy": encoded("z\n z", "c\n d")})
    shown = {"probe": "said", "rows": [1], "decode": decode, "title": "T"}
    prompt, greedy = show.continuations(encoded("zzzz", "a b\n"), {"greedy": "by search"}, **shown)(outcome).axes
    assert prompt.texts[0].get_text() == "a·b↵\n" and greedy.texts[0].get_text() == "c↵\n·d"
    assert greedy.get_ylabel() == "by search"


def test_ways_lie_where_they_surprise_and_repeat():
    told = {"text": (1.5, 1.6, 0.1), "beam": (0.2, 0.3, 0.9)}
    row = {
        f"said/{name}_{what}": value for name, values in told.items() for what, value in zip(WHAT, values, strict=True)
    }
    names = {"text": "people", "beam": "beams"}
    figure = show.repetition(names, probe="said", title="T", num_tokens=8)(Outcome([{"step": 1, **row}], {}))
    own, other = figure.axes
    np.testing.assert_allclose([line.get_xydata()[0] for line in own.lines], [(1.5, 10), (0.2, 90)])
    np.testing.assert_allclose([line.get_xydata()[0] for line in other.lines], [(1.6, 10), (0.3, 90)])
    assert [line.get_marker() for line in own.lines] == ["*", "o"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["people", "beams"]


def test_surprise_shades_each_character_of_a_token():
    figure = show.surprise(np.array([0.0, TOP, 3.0]), pieces=["ab", "c", "\nd"])
    ax, shade = figure.axes[0], matplotlib.colormaps["Oranges"]
    assert [text.get_text() for text in ax.texts] == list("abcd")
    assert [patch.get_xy() for patch in ax.patches] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    want = [shade(0.0), shade(0.0), shade(0.9), shade(0.45)]
    np.testing.assert_allclose([patch.get_facecolor() for patch in ax.patches], want)


def test_symbols_are_drawable():
    assert show.symbols([" ", "\n", "a$", "\x00", "字"]) == ["␣", "↵", r"a\$", "¤", "¤"]
    assert drawable("é") == "é"


def test_training_losses_are_drawn_in_the_unit_of_the_text():
    outcome = Outcome([{"step": 1, "train/loss": 6.0, "test/loss": 2.5}], {})
    figure = show.next_token("character", size=3.0, counted=[4.0, 1.5, 1.75])(outcome)
    train, test, counted = figure.axes[0].lines
    assert (train.get_ydata()[0], test.get_ydata()[0], counted.get_ydata()[0]) == (2.0, 2.5, 1.5)
    assert figure.axes[0].texts[0].get_text() == "counts of what followed 1 tokens: 1.50"
    assert outcome.history[0]["train/loss"] == 6.0
