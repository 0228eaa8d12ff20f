"""The listing of claims: what is promised, beside what was last measured."""

import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments
from adl.core import BadInput
from adl.run import Claim
from adl.run.catalogue import main
from adl.run.claim import bound, command, described, discover, key, missing, read_measured, words, write_measured
from adl.run.contents import listing

RECORD = {"value": 0.978123, "standard_error": 0.00123, "num_seeds": 5, "date": "2026-01-02", "hardware": "a chip"}
RECORD |= {"seconds": 12, "peak_memory_mib": 1024, "holds": True}
MODULE = '''"""A first line [with brackets].

More.
"""
from adl.run import Claim
CLAIMS = (
    Claim(metric="test/accuracy", at_least=0.9, protocol="p"),
    Claim(metric="test/accuracy", at_least=0.99, overrides={"dataset": "big", "channels": (8, 16)},
          protocol="p", long=True),
)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "claiming").mkdir()
    (tmp_path / "claiming" / "__init__.py").write_text("")
    (tmp_path / "claiming" / "one.py").write_text(MODULE)
    (tmp_path / "claiming" / "broken.py").write_text("raise AssertionError('this makes no claims: CLAIMS')")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("claiming")
    for name in [name for name in sys.modules if name.partition(".")[0] == "claiming"]:
        del sys.modules[name]


def test_only_modules_that_claim_are_imported(package):
    assert list(discover(package)) == ["one"]


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ({"at_least": 0.975}, "m >= 0.975"),
        ({"at_most": 87.5}, "m <= 87.5"),
        ({"at_least": 0.45, "at_most": 0.62}, "0.45 <= m <= 0.62"),
        ({"at_least": 475, "reduce": "worst"}, "worst m >= 475"),
    ],
)
def test_bound_as_text(ends, text):
    assert bound(Claim(metric="m", protocol="", **ends)) == text


def test_worst_of_the_seeds_is_nan_where_one_is():
    claim = Claim(metric="m", protocol="", at_least=1, reduce="worst")
    assert claim.value(np.array([3.0, 2.0, 4.0])) == 2 and np.isnan(claim.value(np.array([3.0, np.nan, 2.0])))
    assert key(claim) != key(claim._replace(reduce="mean"))


def test_command_can_be_typed(package):
    module = discover(package)["one"]
    assert command(module, module.CLAIMS[0]) == "python -m claiming.one"
    assert command(module, module.CLAIMS[1]) == "python -m claiming.one --dataset big --channels 8 16"
    assert words({"text": "a b"}) == ["--text", "a b"]


def test_listing_shows_claim_and_measurement(package):
    modules = discover(package)
    write_measured(modules["one"], {key(modules["one"].CLAIMS[0]): RECORD})
    lines = listing(package, ["one"])
    text = "\n".join(lines)
    for part in (
        "one: A first line [with brackets].",
        "test/accuracy >= 0.9\n",
        "test/accuracy >= 0.99 (long)",
        "0.9781 ± 0.0012 (5 seeds), 2026-01-02, a chip",
        "12 s 1.00 GiB",
        "not yet",
    ):
        assert part in text
    assert "  python -m claiming.one --dataset big --channels 8 16" in lines, "whole, in a line of its own"
    (line,) = [line for line in listing(package) if line.startswith("one ")]
    assert line.split() == ["one", "12", "1.0", "1/2", "test/accuracy", "0.9781", "±", "0.0012", "(>=", "0.9)"]


def test_the_list_fits_a_terminal():
    """A line an experiment, of at most 100 characters, with its cost and what was measured."""
    lines = listing(experiments)
    assert max(map(len, lines)) <= 100
    told = {line.split()[0]: line for line in lines if "/" in line}
    assert list(told) == list(discover(experiments))
    cost = r"\S+ +([\d,]+ +([\d.]+)? +\d+/\d+ +\S|0/\d+ +not yet: )"  # none is known of what was never measured
    assert all(re.match(cost, line) for line in told.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["gan.gird"],
            "no command gan.gird; there are list, verify, .*, play, chat; did you mean gan.grid?",
        ),
        (["lsit"], "no command lsit; there are list, verify, .*, play, chat; did you mean list?"),
        (
            ["gan.grid"],
            "gan.grid: `python -m experiments.gan.grid` runs it, `python -m experiments list gan.grid`",
        ),
        (["list", "gan.gird"], "no experiment gan.gird; .*did you mean gan.grid?"),
        (["verify", "--lnog"], "Unrecognized options: --lnog; Perhaps you meant: --long"),
        (["verify", "--only", "a", "--only", "b"], "--only: it is given twice"),
        (["plan", "--topology", "v5e:5"], "--plan v5e:5: the shape of a v5e slice has 2 numbers"),
    ],
)
def test_bad_words_of_the_catalogue_are_one_line(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(experiments, words)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and re.match(f"error: {message}", said), said


def test_one_seed_has_no_error():
    assert described({**RECORD, "num_seeds": 1, "standard_error": None}).startswith("0.9781 (1 seed)\n")


def test_records_replace_their_like_and_outlive_no_claim(package):
    module = discover(package)["one"]
    first, second = map(key, module.CLAIMS)
    assert first != second
    path = Path(module.__file__).with_name("one.measured.json")
    one, two, three = ({**RECORD, "value": value} for value in (0.1, 0.2, 0.3))
    path.write_text(json.dumps({first: one, "gone": two}))
    write_measured(module, {second: two})
    assert read_measured(module) == {first: one, second: two}
    write_measured(module, {first: three})
    assert read_measured(module) == {first: three, second: two}


@pytest.mark.parametrize(
    "wrong", [{"value": "0.9"}, {"seconds": [1]}, {"holds": 1}, {"num_seeds": True}, {"date": None}, {"hardware": 3}]
)
def test_a_damaged_record_is_one_line(package, wrong):
    module = discover(package)["one"]
    path = Path(module.__file__).with_name("one.measured.json")
    for record in ({**RECORD, **wrong}, {name: RECORD[name] for name in RECORD if name not in wrong}, 3):
        path.write_text(json.dumps({key(module.CLAIMS[0]): record}))
        with pytest.raises(BadInput, match="one.measured.json is damaged; .* verify again$"):
            listing(package)


def test_folders_of_a_package_are_families(package):
    family = Path(package.__path__[0], "family")
    family.mkdir()
    (family / "__init__.py").write_text("")
    (family / "two.py").write_text(MODULE)
    modules = discover(package)
    assert list(modules) == ["family.two", "one"] and modules["family.two"].__name__ == "claiming.family.two"


@pytest.mark.parametrize(
    ("needs", "there"),
    [((), ""), (("extra test",), ""), (("extra nosuch",), "extra nosuch"), (("data mnist",), ""), (("gpu",), "gpu")],
)
def test_what_a_claim_needs_is_named_where_it_is_not_there(tmp_path, needs, there):
    (tmp_path / "mnist").mkdir()
    assert missing(Claim(metric="m", protocol="", needs=needs), str(tmp_path)) == there
    assert missing(Claim(metric="m", protocol="", needs=("data mnist",)), str(tmp_path / "elsewhere")) == "data mnist"


def test_a_claim_on_text_that_python_carries_says_of_which_python():
    """Another version carries another text: its standard library, a data set, and its documentation, `pydoc_data`."""
    found = set()
    for name, module in discover(experiments).items():
        has_topics = "pydoc_data" in inspect.getsource(module)
        for claim in module.CLAIMS:
            dataset = claim.overrides.get("dataset", module.Config.dataset)
            if dataset in ("python_library", "python_reference") or (has_topics and claim.metric.startswith("test/")):
                found.add(name)
                assert re.search(r"\(of Python 3\.\d+\.\d+\)", claim.protocol), (name, claim.protocol)
    assert len(found) >= 3
