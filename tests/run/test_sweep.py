"""Sweeps: numbers in one program, integers and words one after another, one table of all; and what a person sees."""

import json
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
import pytest

from adl import run, show
from adl.core import Algorithm, BadInput, Mean
from adl.run import ranges, sweep
from adl.run.record import read_rows


@dataclass(frozen=True)
class Config(run.Config):
    """A number that shrinks."""

    num_steps: run.Count = 4
    log_every: run.Count = 2
    eval_every: run.Count = 4
    checkpoint_every: run.Count = 2
    rate: run.Positive = 0.5  # that is left after a step
    width: run.Count = 2  # numbers
    sign: Literal["plus", "minus"] = "plus"  # of them
    any_length = True


def build(config, loaded, axis):
    def step(key, state, batch):
        return config.rate * state, {"loss": Mean.of(state)}

    def init(key, batch):
        return (1.0 if config.sign == "plus" else -1.0) * jnp.ones(config.width)

    look = {"test": lambda key, state: {"sum": Mean(state.sum(), jnp.ones(()))}}
    final = {"end": lambda key, state: {"state": state}}
    figures = show.figures(curve=show.curves({"loss": "train/loss"}, y_label="x", title="A curve"))
    return run.Experiment(Algorithm(init, step), probes=look, final=final, figures=figures)


def launch(folder, *words):
    run.main(__name__, ["--workdir", str(folder), "--lift", "jit", *words])


def sums(folder):
    return next(row["test/sum"] for row in reversed(read_rows(folder / "metrics.jsonl")) if "test/sum" in row)


def test_integers_and_words_run_one_after_another_with_one_table(tmp_path, capsys):
    words = ["--sweep", "width=2,3", "rate=0.5,1", "sign=plus,minus"]
    launch(tmp_path / "all", *words)
    said = capsys.readouterr().err
    for width in (2, 3):
        for sign in ("plus", "minus"):
            one = tmp_path / "all" / f"width={width},sign={sign}"
            size = width * (1 if sign == "plus" else -1)
            np.testing.assert_allclose(sums(one), [size / 16, size])
            saved = json.loads((one / "config.json").read_text())
            assert (saved["width"], saved["sign"], saved["sweep"]) == (width, sign, ["rate=0.5,1"])
    table = said[said.rindex("done: ") :]
    for setting in ("width=2, sign=plus, rate=0.5", "width=3, sign=minus, rate=1"):
        assert setting in table
    assert "test/sum" in table and "-0.1875" in table and "train/loss" in table
    launch(tmp_path / "one", "--width", "3", "--sweep", "rate=0.5,1")
    assert sums(tmp_path / "one") == sums(tmp_path / "all" / "width=3,sign=plus"), "number for number"
    launch(tmp_path / "all", *words)
    assert capsys.readouterr().err.count("looks again at step 4 of 4: ") == 4, "the same command resumes all"


def test_rows_of_a_sweep_are_by_value(tmp_path, capsys):
    launch(tmp_path / "run", "--sweep", "rate=0.25,0.5")
    said = capsys.readouterr().err
    assert "step 2     train/loss\nrate=0.25       0.625\nrate=0.5         0.75\n" in said


def test_what_cannot_run_is_refused_before_the_first_value_runs(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        launch(tmp_path / "run", "--sweep", "width=2,1000000000000")
    said = capsys.readouterr().err
    assert stop.value.code == 2 and "--width 1000000000000: it must be at most" in said
    launch(tmp_path / "run")
    with pytest.raises(SystemExit):
        launch(tmp_path / "run", "--sweep", "width=2,3")
    assert "it holds a run; choose another" in capsys.readouterr().err
    assert sums(tmp_path / "run") == 0.125


def test_points_know_what_runs_apart():
    config = Config(sweep=("rate=0.1,0.2", "width=3,4"))
    assert [point for point, _ in sweep.apart(config)] == [{"width": 3}, {"width": 4}]
    assert sweep.grid(sweep.apart(config)[0][1]) == [{"rate": 0.1}, {"rate": 0.2}]
    assert sweep.apart(Config()) == [({}, Config())]
    with pytest.raises(BadInput, match="num_seeds is not one of"):
        sweep.points(Config(sweep=("num_seeds=1,2",)))


def test_a_resume_is_announced_and_long_phases_say_what_they_do(tmp_path, capsys):
    launch(tmp_path / "run", "--num_steps", "2")
    assert capsys.readouterr().err.startswith(f"compiling {__name__}\nstep 0 ")
    launch(tmp_path / "run")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"resumes at step 2 of 4: {tmp_path / 'run'}"
    assert [line for line in said if "of 1)" in line] == ["looking at end (1 of 1)", "drawing curve (1 of 1)"]


def test_figures_have_the_formats_that_are_asked_for(tmp_path):
    launch(tmp_path / "run", "--figure_format", "pdf,svg,png")
    starts = {"curve.pdf": b"%PDF", "curve.svg": b"<?xml", "curve.png": b"\x89PNG"}
    found = {path.name: path.read_bytes() for path in (tmp_path / "run" / "figures").iterdir()}
    assert set(found) == set(starts) and all(found[name].startswith(start) for name, start in starts.items())


def test_a_choice_of_numbers_is_one_of_them():
    """As a number, and refused in one line that names all."""
    hint = Literal[8, 16]
    assert ranges.understood("bits", "16", hint, {}) == 16
    assert ranges.understood("bits", "8", tuple[hint, ...], {}) == 8
    with pytest.raises(BadInput, match="--bits 12: it must be one of 8, 16"):
        ranges.understood("bits", "12", hint, {})
