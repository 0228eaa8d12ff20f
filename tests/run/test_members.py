"""Members of a page are run once, under a budget, on the page's data; what is wrong with them is one line."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from adl import run
from adl.core import BadInput
from adl.run import members
from adl.run.claim import words
from adl.run.record import read_rows
from experiments.flow.image import SMOKE as FLOW
from experiments.gan.image import SMOKE
from experiments.generative.compare import MODULES, Config
from experiments.generative.compare import SMOKE as PAGE
from experiments.pixel.image import SMOKE as PIXEL
from experiments.supervised.classify import SMOKE as CLASSIFY


def test_words_have_a_member_read_what_the_page_reads():
    assert members.same_data(Config(members=("gan",))) == {}
    config = dataclasses.replace(Config(), dataset="./photos", picture_size="8x8", train_split="train[:50%]")
    asked = members.same_data(config)
    assert asked == {"dataset": "./photos", "picture_size": "8x8", "train_split": "train[:50%]"}
    homes = [members.place(Path("runs/page"), *of) for of in ((asked, 60.0), (asked, 61.0), ({}, 60.0))]
    assert len(set(homes)) == 3 and {home.parent for home in homes} == {Path("runs")}


def test_folders_by_name():
    assert members.named_folders(("mine=runs/a", "other=b=c")) == {"mine": "runs/a", "other": "b=c"}
    for given, told in ((("runs/a",), "NAME=FOLDER"), (("a=", "b=c"), "NAME=FOLDER"), (("a=b", "a=c"), "twice")):
        with pytest.raises(BadInput, match=told):
            members.named_folders(given)
    with pytest.raises(BadInput, match="row gan already"):
        members.named_folders(("mine=a", "gan=b"), taken=("gan",))


@pytest.mark.full
def test_a_member_is_run_once_and_drawn_from(tmp_path, capfd):
    home = tmp_path / "members" / "gan"
    member = members.started_member("experiments.gan.image", home, SMOKE, seconds=300.0)
    assert member.trained.step == SMOKE["num_steps"] and 0 < member.seconds < 300 and member.has_classes()
    drawn = member.sample([3, 1, 4, 1, 5], size=4)
    assert drawn.shape == (5, 8, 8, 1) and drawn.min() >= 0 and drawn.max() <= 1
    assert np.isfinite(member.last("samples/frechet_random")) and np.isnan(member.last("test/bits"))
    capfd.readouterr()
    again = members.started_member("experiments.gan.image", home, SMOKE, seconds=300.0)
    assert again.seconds == member.seconds == json.loads((home.parent / "members.json").read_text())["gan"]["seconds"]
    assert "python" not in capfd.readouterr().out
    np.testing.assert_array_equal(again.sample([3, 1, 4, 1, 5], size=4), drawn)


@pytest.mark.full
def test_a_member_that_fails_is_told(tmp_path):
    with pytest.raises(BadInput, match="exit code 2"):
        members.started_member("experiments.gan.image", tmp_path / "gan", {"hidden": (-3,)}, seconds=60.0)


def test_a_budget_in_which_nothing_begins_is_told(tmp_path):
    with pytest.raises(BadInput, match="--seconds 0.2: .* had not begun"):
        members.started_member("experiments.gan.image", tmp_path / "gan", {}, seconds=0.2)
    assert not (tmp_path / "members.json").exists()


@pytest.mark.full
def test_a_page_of_runs_has_the_bits_of_those_that_have_a_likelihood(tmp_path):
    data = {name: PAGE[name] for name in ("train_split", "test_split")}
    small = {"flow": FLOW, "pixel": PIXEL, "gan": SMOKE}
    for name, smoke in small.items():  # of the page's pictures
        options = {key: value for key, value in smoke.items() if not key.startswith("picture_")} | data
        options = {key: value for key, value in options.items() if name != "gan" or key != "test_split"}
        run.main(MODULES[name], ["--workdir", str(tmp_path / name), *words(options)])
    folders = [f"{name}={tmp_path / name}" for name in small]
    run.main(
        "experiments.generative.compare", ["--workdir", str(tmp_path / "page"), *words(PAGE), "--workdirs", *folders]
    )
    (row,) = read_rows(tmp_path / "page" / "metrics.jsonl")
    of = {name: read_rows(tmp_path / name / "metrics.jsonl") for name in small}
    for name in ("flow", "pixel"):
        bits = [one["test/bits"] for one in of[name] if "test/bits" in one][-1]
        np.testing.assert_allclose(row[f"compare/{name}_bits"], bits, rtol=1e-6)
    assert "compare/gan_bits" not in row and "compare/gan_class_accuracy" in row
    assert "compare/flow_class_accuracy" not in row and "compare/flow_seconds" not in row


def test_runs_that_cannot_be_compared_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        members.given_member(tmp_path / "nothing", asked={"dataset": "digits"})
    run.main("experiments.supervised.classify", ["--workdir", str(tmp_path / "c"), *words(CLASSIFY)])
    with pytest.raises(BadInput, match="learned from another --dataset than this page's: digits, not mnist"):
        members.given_member(tmp_path / "c", asked={"dataset": "mnist"})
    with pytest.raises(BadInput, match="no sample"):
        members.given_member(tmp_path / "c", asked={"dataset": "digits"})
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    features = members.outside_features(str(tmp_path / "c"))
    odds = features(x / np.float32(255))
    np.testing.assert_allclose(jax.nn.softmax(odds), run.load(tmp_path / "c").predict(x), rtol=1e-4, atol=1e-5)
