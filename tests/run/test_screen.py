"""Rows that fit a terminal, by value where values are compared."""

import numpy as np
import pytest

from adl.run import screen

METRICS = {f"test/metric_{i}": np.array(i / 7) for i in range(17)}


def test_a_short_row_is_a_line():
    assert screen.row("step 5", {"train/loss": np.array(0.5), "a": np.array(2.0)}) == ["step 5  train/loss 0.5  a 2"]


def test_many_metrics_stand_one_under_the_other():
    lines = screen.row("step 100", METRICS, width=100)
    assert len(lines) > 1 and max(map(len, lines)) <= 100
    assert lines[0].startswith("step 100  test/metric_0") and all(line.startswith(" " * 10) for line in lines[1:])
    text = " ".join(" ".join(lines).split())
    assert all(f"{name} {value:.4g}" in text for name, value in METRICS.items()), "none is lost"
    assert len({line.index("test/", 40) for line in lines if "test/" in line[40:]}) == 1, "columns"


def test_seeds_have_an_error():
    assert screen.row("step 5", {"a": np.array([1.0, 3.0])}) == ["step 5  a 2 ± 1"]


def test_a_sweep_is_a_line_a_value():
    lines = screen.row("step 7", {"train/loss": np.arange(4.0).reshape(2, 2), "b": np.arange(2.0)}, ["r=1", "r=2"])
    assert [line.split("  ") for line in lines] == [
        ["step 7", "train/loss", "b"],
        ["r=1", "", "", "0.5 ± 0.5", "0"],
        ["r=2", "", "", "2.5 ± 0.5", "1"],
    ]


@pytest.mark.parametrize("width", [40, 100])
def test_of_many_metrics_it_is_a_column_a_value(width):
    settings = [f"rate={i}" for i in range(9)]
    rows = {"train/loss": np.arange(18.0).reshape(9, 2), "b": np.arange(9.0)}
    rows |= {f"test/metric_{i}": np.zeros(9) for i in range(9)}
    lines = screen.row("step 7", rows, settings, width=width)
    assert max(map(len, lines)) <= width
    cells = [line.split("  ") for line in lines]
    shown = {
        name: [c.strip() for row in cells if row[0] == name for c in row[1:] if c.strip()] for name in ("step 7", "b")
    }
    assert shown == {"step 7": settings, "b": [str(i) for i in range(9)]}
    assert "0.5 ± 0.5" in lines[1]


def test_what_is_not_a_number_is_shown():
    assert screen.row("step 5", {"a": np.array(None, float)}) == ["step 5  a nan"]


def test_a_long_phase_says_what_it_does(capsys, monkeypatch):
    monkeypatch.setattr(screen.console, "quiet", False)
    assert list(screen.phases("drawing", ["a", "b"])) == ["a", "b"]
    assert capsys.readouterr().err == "drawing a (1 of 2)\ndrawing b (2 of 2)\n"
