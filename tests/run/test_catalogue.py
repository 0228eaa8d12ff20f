"""Verification runs the real command lines: each run once, each number kept, each shortfall an exit code."""

import importlib
import json
import sys

import pytest

from adl.run.catalogue import main

MODULE = '''"""A fake experiment."""
import argparse, json, pathlib, sys
from adl.run import Claim
CLAIMS = {claims}
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("workdir", "scale", "data_dir"):
        parser.add_argument("--" + name, default="1")
    args = parser.parse_args()
    with open(pathlib.Path(__file__).parent / "runs.txt", "a") as file:
        file.write(" ".join(sys.argv[1:]) + "\\n")
    {then}
    folder = pathlib.Path(args.workdir)
    folder.mkdir(parents=True)
    scale = float(args.scale)
    rows = [{{"step": 0, "a": 9.0}}, {{"step": 5, "a": [1.0 * scale, 3.0 * scale]}}, {{"step": 6, "b": 0.5, "c": None}}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
    versions = {{"jax": "1", "jaxlib": "2", "adl": "3", "numpy": "4"}}
    (folder / "environment.json").write_text(json.dumps({{"versions": versions, "python": "5", "backend": "cpu",
        "processor": "a processor", "cores": 2, "devices": ["cpu"]}}))
    print("streamed")
'''
HOLDS = """(Claim(metric="a", at_least=1.9, protocol=""), Claim(metric="b", at_most=0.5, protocol=""),
    Claim(metric="a", at_least=19, overrides={"scale": 10}, protocol="", long=True))"""
SHORT = """(Claim(metric="a", at_least=2.1, protocol=""), Claim(metric="b", at_most=0.5, protocol=""))"""


@pytest.fixture
def verify(tmp_path, monkeypatch):
    """`verify(words, name=(claims, then))` in a package of these modules: exit code, and what it measured."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Fakes."""')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*words, **modules):
        for name, (claims, then) in modules.items():
            (folder / f"{name}.py").write_text(MODULE.format(claims=claims, then=then))
        try:
            main(importlib.import_module("fakes"), ["verify", *words])
            code = 0
        except SystemExit as end:
            code = end.code
        paths = folder.glob("*.measured.json")
        return code, {path.name.partition(".")[0]: json.loads(path.read_text()) for path in paths}

    run.folder = folder
    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] == "fakes"]:
        del sys.modules[name]


def runs(verify):
    return (verify.folder / "runs.txt").read_text().splitlines()


def test_mean_and_error_over_seeds_are_kept(verify, capfd):
    code, measured = verify("one", one=(HOLDS, "pass"))
    assert code == 0 and len(runs(verify)) == 1, "claims of one configuration share a run"
    record = measured["one"]["a"]
    assert record.pop("seconds") >= 0 and record.pop("peak_memory_mib") > 1 and record.pop("date")
    assert record == {
        "value": 2.0,
        "standard_error": pytest.approx(1.0),  # of 1 and 3: sqrt(2) / sqrt(2)
        "num_seeds": 2,
        "reduce": "mean",
        "bound": [1.9, None],
        "holds": True,
        "hardware": "a processor, 2 cores",
        "versions": {"jax": "1", "jaxlib": "2", "adl": "3", "python": "5"},
        "command": "python -m fakes.one",
    }
    assert measured["one"]["b"]["standard_error"] is None and measured["one"]["b"]["num_seeds"] == 1
    printed = capfd.readouterr().out
    assert "$ python -m fakes.one\nstreamed" in printed
    assert str(verify.folder.parent) not in json.dumps(measured)


@pytest.mark.parametrize(
    ("bounds", "value", "holds"),
    [
        ("at_least=1.9", 1.0, False),
        ("at_least=0.5", 1.0, True),
        ("at_most=2.9", 3.0, False),
        ("at_least=0, at_most=3.5", 3.0, True),  # the nearer to its bound
        ("at_least=0.9, at_most=9", 1.0, True),
    ],
)
def test_the_worst_seed_speaks_for_all(verify, capfd, bounds, value, holds):
    code, measured = verify(one=(f'(Claim(metric="a", reduce="worst", {bounds}, protocol=""),)', "pass"))
    record = measured["one"]["worst a"]
    assert (record["value"], record["holds"], record["standard_error"], code) == (value, holds, None, int(not holds))
    assert f"{value:g} (the worst of 2 seeds)" in capfd.readouterr().out


def test_long_claims_run_when_asked_with_their_overrides(verify):
    code, measured = verify("one", "--long", "--data_dir", "elsewhere", one=(HOLDS, "pass"))
    assert code == 0
    assert measured["one"]["a --scale 10"]["value"] == 20.0
    assert measured["one"]["a --scale 10"]["command"] == "python -m fakes.one --scale 10"
    short, long = runs(verify)
    assert short.endswith("--data_dir elsewhere") and long.startswith("--scale 10 --workdir ")


def test_claim_that_falls_short_is_kept_and_fails(verify, capfd):
    code, measured = verify(one=(SHORT, "pass"))
    assert code == 1
    assert measured["one"]["a"]["holds"] is False and measured["one"]["b"]["holds"] is True
    assert "NO" in capfd.readouterr().out


def test_failed_run_leaves_what_was_measured(verify, capfd):
    _, before = verify(one=(HOLDS, "pass"))
    code, after = verify(one=(HOLDS, "sys.exit(1)"), two=(HOLDS, "pass"))
    assert code == 1
    assert after["one"] == before["one"] and "two" in after, "the others are measured all the same"
    assert "fakes.one ended with exit code 1" in capfd.readouterr().err


@pytest.mark.parametrize(("metric", "message"), [("missing", "wrote no missing"), ("c", "measured nan as c")])
def test_metric_that_is_not_there_fails(verify, capfd, metric, message):
    code, measured = verify(one=(f'(Claim(metric="{metric}", at_least=0, protocol=""),)', "pass"))
    assert code == 1 and measured == {}
    assert message in capfd.readouterr().err


def test_unknown_name_is_one_line(verify, capsys):
    code, measured = verify("oen", one=(HOLDS, "pass"))
    assert code == 2 and measured == {}
    assert capsys.readouterr().err == "error: no experiment oen; there are one; did you mean one?\n"


def test_nothing_to_verify_is_an_error(verify, capsys):
    claims = '(Claim(metric="a", at_least=0, protocol="", long=True),)'
    code, _ = verify("one", one=(claims, "pass"))
    assert code == 2
    assert capsys.readouterr().err == "error: one: no claim to measure; add --long, or widen --only\n"
