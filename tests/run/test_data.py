"""What a run has read is kept beside its configuration, and it goes on with that alone."""

import json
import os
import shutil

import numpy as np
import pytest

from adl import run
from adl.core import BadInput
from experiments.linear import classify


def go(*words: str) -> None:
    run.main(classify.__name__, ["--num_steps", "2", *words])


def test_a_run_goes_on_with_the_data_that_it_began_with(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{x:.3f},{y:.3f},{'no' if x > y else 'yes'}\n" for x, y in np.random.default_rng(0).normal(size=(80, 2))]
    path = tmp_path / "rows.csv"
    path.write_text("a,b,y\n" + "".join(rows))
    words = ("--dataset", "./rows.csv", "--target", "y", "--workdir", "run")
    go(*words)
    assert "./rows.csv: a: number, b: number, y: 2 classes of words (no, yes); " in capsys.readouterr().err
    saved = json.loads((tmp_path / "run/data.json").read_text())
    assert saved["./rows.csv"]["count"] == 1 and [*saved["./rows.csv"]["files"]] == ["rows.csv"]
    os.utime(path, (1, 1))
    go(*words)
    shutil.copytree("run", "before")
    path.write_text("a,b,y\n" + "".join(rows[1:]))
    with pytest.raises(SystemExit) as stop:
        go(*words)
    told = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and told == (
        "error: --workdir run: ./rows.csv is not as the run in it read it (1 changed of 1; the first is rows.csv); put "
        "it back as it was, or choose another --workdir"
    )
    with pytest.raises(BadInput, match=r"^run: ./rows.csv is not as the run in it read it .* or choose another run$"):
        run.load("run")
    assert [p.read_bytes() for p in sorted((tmp_path / "run").glob("*.json*"))] == [
        p.read_bytes() for p in sorted((tmp_path / "before").glob("*.json*"))
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dataset", "./no.csv"), "--dataset ./no.csv cannot be read (No such file or directory)"),
        (("--test_share", "0.3"), "--test_share 0.3: the splits of breast_cancer are its own; leave it out"),
        (("--test_share", "1"), "--test_share 1: it must be in (0, 1)"),
        (("--columns", "lable=y"), "--columns lable=y: this experiment wants x, label, not lable; did you mean label?"),
        (("--columns", "label=lable"), "breast_cancer has no lable, but features, label; did you mean label?"),
        (("--picture_size", "4x4"), "Unrecognized options: --picture_size"),
        (("--dataset", "rows.csv"), "did you mean ./rows.csv, which is here?"),
        (("--dataset", "gs://bucket/rows.csv"), "give --dataset ./bucket/rows.csv"),
    ],
)
def test_flags_of_data_are_read_or_refused(tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").touch()
    with pytest.raises(SystemExit) as stop:
        go(*words)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and told in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
