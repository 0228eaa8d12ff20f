"""A person against a trained player: moves by their names, what is none in one line, and leaving."""

import io
import sys

import pytest

import experiments
from adl import run
from adl.run import catalogue
from adl.run.claim import words
from experiments.rl import alphazero

pytest.importorskip("mctx", reason="extra games")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played") / "run"
    run.main(alphazero.__name__, ["--workdir", str(folder), *words({**alphazero.SMOKE, "num_steps": 2, "lift": "jit"})])
    return folder


def played(folder, monkeypatch, capsys, lines, *more):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    capsys.readouterr()
    catalogue.main(experiments, ["play", str(folder), *more])
    return capsys.readouterr().out


def test_a_game_to_its_end(folder, monkeypatch, capsys):
    """Every square is tried in turn, one in capitals: what is taken is refused in one line."""
    squares = [f"{column}{row}" for row in "123" for column in "abc"]
    out = played(folder, monkeypatch, capsys, ["d4", "moves", squares[0].upper(), *squares[1:]])
    assert "no move 'd4'; `moves` lists them, `quit` leaves" in out and " ".join(squares) in out
    assert "no move 'A1'" not in out and out.strip().splitlines()[-1] in ("you win", "it wins", "a draw")
    assert "is not free now" in out or out.count("it plays") < 3


def test_leaving_and_going_second(folder, monkeypatch, capsys):
    out = played(folder, monkeypatch, capsys, ["quit"], "--side", "second")
    assert out.startswith("it plays ") and out.count("X") == 1 and "O" not in out
    assert played(folder, monkeypatch, capsys, []).count("it plays") == 0, "the end of the input leaves"


def test_who_offers_nobody_says_so(tmp_path, monkeypatch, capsys):
    small = "--lift jit --model mlp --num_steps 1 --batch_size 8 --checkpoint_every 1".split()
    run.main("experiments.supervised.classify", ["--workdir", str(tmp_path / "run"), *small])
    with pytest.raises(SystemExit):
        catalogue.main(experiments, ["play", str(tmp_path / "run")])
    assert "supervised.classify offers nobody to play against" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["-1", str(2**63)])
def test_a_key_that_is_none_is_refused_in_a_line(folder, capsys, key):
    with pytest.raises(SystemExit):
        catalogue.main(experiments, ["play", str(folder), "--key", key])
    assert f"--key {key}: it must be in 0 ... 2**63 - 1" in capsys.readouterr().err
