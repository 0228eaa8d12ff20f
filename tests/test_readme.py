"""The README's code runs, and its commands are those that there are."""

import glob
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest

import experiments
from adl import __main__ as map_of_all
from adl import run
from adl.data.tokenizer import own_tokenizer
from adl.run import catalogue
from adl.run.contents import families
from adl.sequence import published

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BASH = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SMALL = {  # of what is trained
    "experiments.supervised": "--num_steps 4 --batch_size 16 --model mlp --hidden_width 8",
    "experiments.linear.classify": "--num_steps 3",
    "experiments.sequence.finetune": "--num_steps 3 --batch_size 8 --length 8",
}


def code(holding: str) -> str:
    (found,) = [block for block in PYTHON if holding in block]
    return found


def commands(start: str, holding: str = "") -> list[list[str]]:
    """Lines of the blocks of commands that begin so, as words, without what a comment says, and small.

    Args:
      start: of the lines.
      holding: text of the one block that is meant; empty: all.
    """
    lines = [line for block in BASH if holding in block for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith(start)]
    return [
        [*words, *([] if "--help" in words else SMALL.get(words[min(2, len(words) - 1)], "").split())]
        for words in found
    ]


def own_data(folder: Path) -> dict[str, np.ndarray]:
    """Pictures, a table, a text and a network such as the README speaks of; and what its code is given."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (40, 36, 40, 3), np.uint8)
    names = [f"photos/{part}/{kind}/{i}.png" for part in ("train", "test") for kind in ("cat", "dog") for i in range(9)]
    for name, picture in zip([*names, "new/1.png"], pictures, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), picture)
    rows = [f"{20 + i},{50 + 7 * i % 40},{('well', 'ill')[i % 3 == 0]}" for i in range(60)]
    (folder / "patients.csv").write_text("\n".join(["age,weight,outcome", *rows]))
    (folder / "notes.txt").write_text("".join(f"The {i}th note is about {i + 1}.\n" for i in range(200)))
    return {"pictures": np.stack([cv2.resize(picture, (32, 32)) for picture in pictures[:3]])}


def test_code_without_the_runner_trains(capsys):
    exec(compile(code("views(pixels)"), "README.md", "exec"), {})
    accuracy = [float(word) for word in re.findall(r"[\d.]+", capsys.readouterr().out)]
    assert len(accuracy) == 4 and min(accuracy) > 0.9


def test_code_that_samples_prints_its_table(capsys):
    exec(compile(code("chains.run"), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["a", "b[0]", "b[1]"] and lines[4] == "4 chains of 1,000 draws"


def test_table_is_the_catalogues():
    """`python -m experiments list --markdown` prints it."""
    assert families(experiments) in README


def ran(words: list[str], monkeypatch) -> None:
    """A command `python -m MODULE WORDS`, here, and small where it trains."""
    module, words = words[2], words[3:]
    if module == "adl":
        map_of_all.main(words)
    elif module == "experiments":
        catalogue.main(experiments, words)
    else:
        assert module == "experiments.supervised", f"say here what {module} runs"
        monkeypatch.setattr(catalogue.jax.config, "update", lambda *_: None)  # this process has its devices
        run.main("experiments.supervised.classify", words)


def test_commands_run_and_their_rows_are_read_by_pandas(tmp_path, monkeypatch, capsys):
    """Those of the way in, in their order, in an empty folder; then the lines that look at what they left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    few = jax.devices()[:2]
    monkeypatch.setattr(jax, "devices", lambda *_: few)
    for words in commands("python -m ", "runs/mine"):
        if "--help" in words:
            with pytest.raises(SystemExit) as stop:
                ran(words, monkeypatch)
            assert not stop.value.code
        else:
            ran(words, monkeypatch)
    said = capsys.readouterr().out
    for part in ("--num_seeds", "test/accuracy >= 0.975", "FLOP", "autoencoder.vae.beta_vae"):
        assert part in said, part
    assert [*(tmp_path / "runs/mine/figures").glob("*.png")] and [*(tmp_path / "runs/mine").glob("events/*tfevents*")]
    pytest.importorskip("pandas")
    with open("runs/mine/metrics.jsonl", "a") as rows:
        rows.write('{"step": 5, "test/accuracy": [null, 0.5, 0.25]}\n')  # as a run writes nan and inf
    exec(compile(code("pd.read_json"), "README.md", "exec"), {})
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["mean", "std"] and table[-1].split() == ["5", "0.375000", "0.176777"]


def test_a_model_of_own_pictures_is_used_exported_and_begun_with(tmp_path, monkeypatch, capsys):
    """Commands and code of that section but for those on tables and texts, in an empty folder that has the pictures."""
    monkeypatch.chdir(tmp_path)
    few = jax.devices()[:2]
    monkeypatch.setattr(jax, "devices", lambda *_: few)
    given = own_data(tmp_path)
    for words in commands("python -m ", "./photos"):
        if words[2] in ("experiments", "experiments.supervised"):
            ran(words, monkeypatch)
    said = "".join(capsys.readouterr())
    for part in ("2 classes (cat, dog)", "new/1.png,", "written: photos-model", "12 of 12 tensors of photos-model"):
        assert part in said, part
    exec(compile(code('run.load("runs/photos")'), "README.md", "exec"), given)
    odds = np.array(re.findall(r"[\d.]+(?:e-\d+)?", capsys.readouterr().out.split("[[")[1]), float).reshape(3, 2)
    np.testing.assert_allclose(odds.sum(1), 1, rtol=1e-4)


def test_commands_for_a_slice_would_be_given(tmp_path):
    """`--dry-run` prints what each asks of gcloud, and calls none: the one that is there fails."""
    (tmp_path / "gcloud").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "gcloud").chmod(0o755)
    (settings,) = commands("export TPU_PROJECT")
    env = {**os.environ, **dict(word.split("=") for word in settings[1:])}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    told = commands("tpu_scripts/")
    assert len(told) == 4
    for words in told:
        done = subprocess.run([words[0], "--dry-run", *words[1:]], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0 and "gcloud" in done.stdout and "my-project" in done.stdout, (words, done)


@pytest.mark.full
def test_the_commands_themselves_run(tmp_path):
    """As processes, in an empty folder that has the data that they name; and the code on a network of others."""
    own_data(tmp_path)
    sizes = {"num_layers": 1, "num_heads": 2, "width": 16, "length": 64}
    network = published.new_gpt2(own_tokenizer((tmp_path / "notes.txt").read_text(), 300), **sizes)
    shapes = network.model.init(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]
    network._replace(params=shapes).save(tmp_path / "gpt2")
    for words in commands("python -m "):
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (words, done.stderr)
    tuned = glob.glob(str(tmp_path / "runs/sequence/finetune*/weights"))
    for folder in ("gpt2", *tuned):
        text = code("published").replace("./gpt2", str(tmp_path / folder))
        exec(compile(text, "README.md", "exec"), {})
    assert len(tuned) == 1


def test_the_picture_is_there_and_small():
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (ROOT / picture).read_bytes()[:4] == b"\x89PNG" and (ROOT / picture).stat().st_size <= 150_000
