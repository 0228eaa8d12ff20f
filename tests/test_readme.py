"""The README's code runs, and its commands are those that there are."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import experiments
from adl import __main__ as map_of_all
from adl import run
from adl.run import catalogue
from adl.run.contents import families

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BASH = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SMALL = [
    "--num_steps",
    "4",
    "--batch_size",
    "16",
    "--model",
    "mlp",
    "--hidden_width",
    "8",
]  # of what is trained


def code(holding: str) -> str:
    (found,) = [block for block in PYTHON if holding in block]
    return found


def commands(start: str) -> list[list[str]]:
    """Lines of the blocks of commands that begin so, as words, without what a comment says."""
    lines = [line for block in BASH for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(start)]


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
        run.main("experiments.supervised.classify", [*words, *([] if "--help" in words else SMALL)])


def test_commands_run_and_their_rows_are_read_by_pandas(tmp_path, monkeypatch, capsys):
    """Those of the way in, in their order, in an empty folder; then the lines that look at what they left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    few = jax.devices()[:2]
    monkeypatch.setattr(jax, "devices", lambda *_: few)
    for words in commands("python -m "):
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
    """As processes, in an empty folder."""
    for words in commands("python -m "):
        small = SMALL if words[2] == "experiments.supervised" and "--help" not in words else []
        done = subprocess.run(
            [sys.executable, *words[1:], *small],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (words, done.stderr)


def test_the_picture_is_there_and_small():
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (ROOT / picture).read_bytes()[:4] == b"\x89PNG" and (ROOT / picture).stat().st_size <= 150_000
