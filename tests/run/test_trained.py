"""A trained model in two lines; its weights as a file; and runs that begin with weights that are there."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from adl import run
from adl.core import Algorithm, BadInput, Learner, Mean, descend, optimizer
from adl.run import processes, weights
from adl.run.export import export
from adl.run.record import read_rows
from tests.run.test_fit import fails
from tests.run.test_folder import contents, unchanged

X = np.random.default_rng(0).normal(size=(64, 4)).astype("f")


@dataclass(frozen=True)
class Config(run.Config):
    """A regression on four columns."""

    any_length = True
    num_steps: run.Count = 4
    batch_size: run.Count = 16
    log_every: run.Count = 2
    eval_every: run.Count = 2
    checkpoint_every: run.Count = 2
    learning_rate: run.Positive = 0.1  # of Adam
    width: run.Count = 8  # of the hidden layer
    outputs: run.Count = 1  # of the last


CLAIMS = (run.Claim(metric="test/loss", protocol="these points", at_most=100.0),)


class Network(nn.Module):
    width: int
    outputs: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.outputs, name="head")(nn.relu(nn.Dense(self.width, name="trunk")(x)))


class Batches:
    def __getitem__(self, step):
        return X[(np.arange(16) + 16 * step) % len(X)]


def build(config, loaded, axis):
    model = Network(config.width, config.outputs)
    tx = optimizer.adam(config.learning_rate, average=0.5)

    def loss(key, params, extras, x):
        return {"loss": Mean.of((model.apply({"params": params}, x) - x.sum(-1, keepdims=True)) ** 2)}, extras

    def init(key, x):
        return Learner.create(model.init(key, x), tx)

    def probe(key, learner):
        return {"loss": Mean.of((model.apply(learner.averaged, X) - X.sum(-1, keepdims=True)) ** 2)}

    def predict(key, learner, x):
        return config.learning_rate * model.apply(learner.averaged, x)

    return run.Experiment(
        Algorithm(init, descend(loss, tx, axis)),
        Batches(),
        {"test": probe},
        offers={
            "model": model,
            "predict": run.Offer(predict, run.Cells("abcd", lambda x: x - 1), run.Cells(["sum"])),
            "sample": run.Offer(lambda key, learner: jax.random.normal(key, (2,)), run.Repeats(), run.Cells()),
        },
    )


def launch(folder: Path, *words: str) -> None:
    run.main(__name__, ["--workdir", str(folder), *words])


def state(folder: Path, **chosen) -> dict[str, np.ndarray]:
    return weights.tensors(run.load(folder, **chosen).state)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Two values, two seeds, on eight devices."""
    folder = tmp_path_factory.mktemp("many") / "run"
    launch(folder, *"--lift shard --layout fsdp --num_seeds 2 --sweep learning_rate=0.1,0.5".split())
    return folder


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "run"
    launch(folder, "--lift", "jit")
    return folder


def test_all_runs_on_one_device_are_each_alone(many):
    with unchanged(many):
        every = run.load(many.parent)
        alone = run.load(many, seed=1, setting="learning_rate=0.5", step=2)
        assert (every.step, alone.step, run.load(many, step="best").step in (2, 4)) == (4, 2, True)
        given = run.load(many, step=2).predict(X)
    assert isinstance(every.model, nn.Module) and every.config.num_seeds == 2
    assert given.shape == (2, 2, 64, 1) and every.sample(3).shape == (2, 2, 3, 2)
    np.testing.assert_allclose(given[1, 1], alone.predict(X), rtol=1e-6)
    np.testing.assert_array_equal(alone.sample(3, key=7), every.sample(3, key=7)[0, 0])
    assert not np.array_equal(alone.sample(3, key=7), alone.sample(3, key=8))
    assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(every.state))


def test_rows_come_as_arrays_or_by_their_names(single):
    trained = run.load(single)
    want = 0.1 * trained.model.apply(trained.state.averaged, X - 1)
    np.testing.assert_allclose(trained.predict(X), want, rtol=1e-6)
    columns = {name: X[:, i] for i, name in enumerate("abcd")} | {"z": X[:, 0]}
    np.testing.assert_allclose(trained.predict(columns), want, rtol=1e-6)
    for wrong, said in (
        ({"a": [0.0]}, "no column 'b'"),
        (X[:, :3], "must be .B, 4. .a, b, c, d."),
        ([[0, 0, np.nan, 0]], "row 0: c is nan"),
        ([["x"] * 4], "must be numbers"),
    ):
        with pytest.raises(BadInput, match=said):
            trained.predict(wrong)
    with pytest.raises(BadInput, match="must be an integer >= 1"):
        trained.sample(0)
    with pytest.raises(AttributeError, match=r"no predit; did you mean predict\?"):
        _ = trained.predit


def test_what_cannot_be_loaded_is_one_line(single, many, tmp_path, monkeypatch):
    (tmp_path / "broken_experiment.py").write_text("nosuch_name")
    monkeypatch.syspath_prepend(tmp_path)

    def copied(name: str) -> Path:
        return Path(shutil.copytree(single, tmp_path / name))

    damaged, unsealed, foreign, odd = map(copied, ("damaged", "unsealed", "foreign", "odd"))
    max((damaged / "checkpoints" / "4").rglob("*"), key=lambda path: path.stat().st_size).write_bytes(b"x")
    for place in (unsealed / "checkpoints").iterdir():
        (place / "digests.json").unlink()
    for folder, change in ((foreign, {"experiment": "no.such_module"}), (odd, {"width": "wide"})):
        saved = json.loads((folder / "config.json").read_text()) | change
        (folder / "config.json").write_text(json.dumps(saved))
    cases = [
        ({"path": tmp_path / "nosuch"}, "there is no such folder"),
        ({"path": tmp_path}, "it holds 4 runs, and one is wanted"),
        ({"path": single, "step": 3}, "no checkpoint of step 3; it keeps 2, 4"),
        ({"path": single, "seed": 5}, "no seed 5; it has 0"),
        ({"path": many, "seed": 0}, "of which setting"),
        ({"path": many, "setting": "learning_rate=0.1"}, "of which seed"),
        ({"path": many, "setting": "learning_rate=0.2", "seed": 0}, "no setting 'learning_rate=0.2'"),
        ({"path": damaged}, r"checkpoint .* is damaged \(.*\); it also keeps 2"),
        ({"path": unsealed}, "it has no checkpoint yet"),
        ({"path": foreign}, "no module experiments.no.such_module or no.such_module"),
        ({"path": single, "module": ".x"}, "no module .x defines"),
        ({"path": single, "module": "broken_experiment"}, "broken_experiment cannot be imported: NameError"),
        ({"path": odd}, "width = 'wide', which is no value"),
    ]
    for words, said in cases:
        before = contents(tmp_path)
        with pytest.raises(BadInput, match=said) as caught:
            run.load(**words)
        assert "\n" not in str(caught.value) and contents(tmp_path) == before
    assert run.load(damaged, step=2).step == 2
    assert run.load(foreign, module=__name__).step == 4


def test_a_file_of_weights_says_what_it_is(single, tmp_path):
    trained = run.load(single)
    assert export(trained, str(tmp_path / "out")) == tmp_path / "out"
    with pytest.raises(BadInput, match="has model.safetensors and card.md already"):
        export(trained, str(tmp_path / "out"))
    export(trained, str(tmp_path / "out"), overwrite=True)
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert sorted(found) == sorted(
        f"{of}/{layer}/{leaf}"
        for of in ("params", "averaged")
        for layer in ("trunk", "head")
        for leaf in ("bias", "kernel")
    )
    for name, leaf in weights.tensors(trained.state).items():
        np.testing.assert_array_equal(found[name], leaf)
    with safe_open(tmp_path / "out" / "model.safetensors", framework="numpy") as opened:
        told = json.loads(opened.metadata()["adl"])
    assert told["step"] == 4 and told["configuration"]["width"] == 8 and told["claims"][0]["holds"] is True
    assert "test/loss <= 100" in (tmp_path / "out" / "card.md").read_text()


def test_a_single_number_stays_one(single, tmp_path):
    trained = run.load(single)
    trained.state = {"count": np.float32(3)}
    assert load_file(export(trained, str(tmp_path)) / "model.safetensors")["count"].shape == ()


LIFTS = {
    "jit": ("--lift jit", ()),
    "pmap": ("--lift pmap", ()),
    "fsdp": ("--lift shard --layout fsdp --num_seeds 2", (2,)),
    "sweep": ("--lift jit --num_seeds 2 --sweep learning_rate=1e-17,1e-16", (2, 2)),
}


@pytest.mark.parametrize(
    "lift", [pytest.param(x, marks=() if x in ("fsdp", "sweep") else pytest.mark.full) for x in LIFTS]
)
def test_a_run_begins_with_weights_under_every_lift(single, tmp_path, lift, capsys):
    """At a learning rate that moves nothing, parameters are what it began with; the first look is at their average."""
    words, axes = LIFTS[lift]
    slow = [] if lift == "sweep" else ["--learning_rate", "1e-17"]
    launch(tmp_path / "next", "--init_from", str(single), "--num_steps", "2", *words.split(), *slow)
    assert "begins with 8 of 8 tensors" in capsys.readouterr().err
    began = state(tmp_path / "next")
    for name, leaf in state(single).items():
        if name.startswith("params"):
            np.testing.assert_allclose(began[name], np.broadcast_to(leaf, (*axes, *leaf.shape)), rtol=1e-5, atol=1e-9)
    first, last = (read_rows(folder / "metrics.jsonl") for folder in (tmp_path / "next", single))
    np.testing.assert_allclose(first[0]["test/loss"], np.full(axes, last[-1]["test/loss"]), rtol=1e-5)
    kept = json.loads((tmp_path / "next" / "init.json").read_text())
    assert kept["unused"] == kept["anew"] == [] and len(kept["used"]) == 8


def test_parts_begin_and_the_rest_is_said(single, tmp_path, capsys):
    words = ["--lift", "jit", "--num_steps", "2", "--learning_rate", "1e-17", "--outputs", "3"]
    out = export(run.load(single), str(tmp_path / "out"))
    with fails(capsys, 2, "head/bias is [1] there and [3] here; --init_prefix", "head= leaves it out"):
        launch(tmp_path / "next", *words, "--init_from", str(out))
    assert not (tmp_path / "next").exists()
    launch(tmp_path / "next", *words, "--init_from", str(out), "--init_prefix", "params/head=")
    kept = json.loads((tmp_path / "next" / "init.json").read_text())
    assert (
        kept["unused"]
        == kept["anew"]
        == [f"{of}/head/{x}" for of in ("averaged", "params") for x in ("bias", "kernel")]
    )
    began, want = state(tmp_path / "next"), state(single)
    np.testing.assert_allclose(began["params/trunk/kernel"], want["params/trunk/kernel"], rtol=1e-5)
    capsys.readouterr()
    launch(
        tmp_path / "mean",
        *words,
        "--init_from",
        f"{single}/checkpoints/4",
        "--init_prefix",
        "averaged/trunk=params/trunk",
    )
    said = capsys.readouterr().err
    assert "begins with 2 of 8 tensors" in said and "not used: averaged/head/bias" in said
    for of in ("params", "averaged"):  # a new average begins where the parameters do
        np.testing.assert_allclose(state(tmp_path / "mean")[f"{of}/trunk/bias"], want["averaged/trunk/bias"], rtol=1e-5)


def test_a_resumed_run_has_its_checkpoint_and_refuses_another_source(single, tmp_path, capsys):
    out = export(run.load(single), str(tmp_path / "out"))
    words, agreed = ["--lift", "jit", "--init_from", str(out)], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "agree", lambda name, value: agreed.update({name: value}))
        launch(tmp_path / "straight", *words, "--num_steps", "4")
    assert agreed["input"] == {"--init_from": weights.digest(out / "model.safetensors")}
    launch(tmp_path / "next", *words, "--num_steps", "2")
    file = out / "model.safetensors"
    aside = file.rename(tmp_path / "aside")
    launch(tmp_path / "next", *words, "--num_steps", "4")  # the weights are gone, and not wanted
    for name, leaf in state(tmp_path / "straight").items():
        np.testing.assert_array_equal(state(tmp_path / "next")[name], leaf)
    save_file({name: leaf + 1 for name, leaf in load_file(aside).items()}, file)
    with unchanged(tmp_path / "next"), fails(capsys, 2, "is not what the run in"):
        launch(tmp_path / "next", *words, "--num_steps", "6")
    aside.rename(file)
    with unchanged(tmp_path / "next"), fails(capsys, 2, "another configuration (init_prefix"):
        launch(tmp_path / "next", *words, "--init_prefix", "params", "--num_steps", "6")


def test_what_cannot_be_begun_with_is_one_line(single, many, tmp_path, capsys):
    odd = {"params/head/bias": np.array([np.nan], "f")}
    save_file({name: np.asarray(leaf) for name, leaf in state(single).items()} | odd, tmp_path / "nan.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "nan.safetensors").read_bytes()[:-9])
    save_file({"other": np.zeros(3, "f")}, tmp_path / "other.safetensors")
    cases = [
        ([str(tmp_path / "nosuch")], "there is no such file or folder"),
        ([str(tmp_path / "nan.safetensors")], "params/head/bias has values that are not finite"),
        ([str(tmp_path / "cut.safetensors")], "is no safetensors file, or damaged"),
        ([str(tmp_path / "other.safetensors")], "nothing of it fits: it has other"),
        ([str(many)], "it has several runs, and this is one"),
        ([str(single), "--init_prefix", "parms"], "no such part; it has averaged", "did you mean params?"),
        ([str(single), "--init_prefix", "params=head="], "it must be PART, THEIRS=OURS"),
        ([str(single), "--init_prefix", "params", "averaged=params"], "would come of both"),
        (["gs://bucket/x"], "--init_from gs://bucket/x"),
    ]
    for words, *said in cases:
        with fails(capsys, 2, *said):
            launch(tmp_path / "next", "--lift", "jit", "--init_from", *words)
        assert not (tmp_path / "next").exists()
    with fails(capsys, 2, "--init_prefix params: of what?"):
        launch(tmp_path / "next", "--lift", "jit", "--init_prefix", "params")


def test_an_experiment_outside_the_repository(tmp_path, monkeypatch):
    """By the name of its module where that can be imported, by a module that is given where not."""
    source = Path(__file__).read_text().partition("@pytest.fixture")[0]
    (tmp_path / "my_experiment.py").write_text(source + "\n\nif __name__ == '__main__':\n    run.main(__name__)\n")
    monkeypatch.syspath_prepend(tmp_path)
    run.main("my_experiment", ["--workdir", str(tmp_path / "run"), "--lift", "jit", "--num_steps", "2"])
    assert run.load(tmp_path / "run").predict(X).shape == (64, 1)
    assert run.load(tmp_path / "run", module=sys.modules["my_experiment"]).name == "my_experiment"
    assert not os.path.exists(tmp_path / "run" / "export")
