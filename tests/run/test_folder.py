"""A run's folder: only this very run changes it, what was written is found again, and what is not is named."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adl import run
from adl.core import BadInput, local_path
from adl.run import folder as files
from tests.run import test_fit
from tests.run.test_fit import ROOT, fails, launch, losses


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def unchanged(folder: Path):
    before = contents(folder)
    yield
    assert contents(folder) == before


class Scheduled(test_fit.Config):
    """One that says nothing of its length."""

    any_length = False


def test_another_length_is_refused_where_it_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(test_fit, "Config", Scheduled)
    launch(tmp_path / "run", "--num_steps", "4")
    words = "holds a run of 4 steps", "repeat --num_steps 4 or choose another --workdir"
    for length in ("8", "2"):
        with unchanged(tmp_path / "run"), fails(capsys, 2, f"--num_steps {length}: ", *words):
            launch(tmp_path / "run", "--num_steps", length)
    assert launch(tmp_path / "run", "--num_steps", "4")[-1]["step"] == 4


def test_another_way_to_draw_noise_is_refused(tmp_path, capsys):
    """Under pmap each device folds its number into the key."""
    launch(tmp_path / "run", "--num_steps", "4", "--lift", "shard")
    with unchanged(tmp_path / "run"), fails(capsys, 2, "another configuration (lift: shard -> pmap)"):
        launch(tmp_path / "run", "--lift", "pmap")
    launch(tmp_path / "run", "--num_steps", "8", "--lift", "jit")
    launch(tmp_path / "mapped", "--num_steps", "4", "--lift", "pmap")
    environment = tmp_path / "mapped" / "environment.json"
    environment.write_text(json.dumps({"devices": ["cpu"] * 4}))
    with unchanged(tmp_path / "mapped"), fails(capsys, 2, "a run on 4 devices under --lift pmap", "here are 8"):
        launch(tmp_path / "mapped", "--lift", "pmap")


def test_a_refused_shorter_run_changes_nothing(tmp_path, capsys):
    launch(tmp_path / "run", "--num_steps", "8")
    with unchanged(tmp_path / "run"), fails(capsys, 2, "--num_steps 4: ", "is at step 8 already"):
        launch(tmp_path / "run", "--num_steps", "4")


def spoilt(at: bytes, new: bytes):
    def spoil(path):
        path.write_bytes(path.read_bytes().replace(at, new, 1))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoilt(b'{"step": 2', b'["step": 2'), "line 2 is no row of metrics"),
        (spoilt(b'{"step": 2', b'{"step": 3'), "not as it was written up to step 12"),
        (spoilt(b'"train/loss": ', b'"train/loss": 1'), "not as it was written up to step 12"),
        (spoilt(b"\n", b"\n7\n"), "line 2 is no row of metrics"),
        (spoilt(b"\n", b"\n\n"), "line 2 is no row of metrics"),
        (spoilt(b"loss", b"\xff"), "line 1 is no row of metrics"),
        (lambda path: path.unlink(), "not as it was written up to step 12"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), "not as it was written up to step 12"),
        (lambda path: path.write_text(""), "not as it was written up to step 12"),
    ],
)
def test_rows_that_are_not_what_was_written_are_refused(complete, capsys, spoil, said):
    """In the middle a changed byte is damage, also where it makes another number."""
    spoil(complete / "metrics.jsonl")
    with unchanged(complete), fails(capsys, 2, "metrics.jsonl", said, "put"):
        launch(complete)


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complete") / "run"
    launch(folder)
    return folder


@pytest.fixture
def complete(a_run, tmp_path):
    """A complete run of twelve steps."""
    subprocess.run(["cp", "-r", a_run, tmp_path / "run"], check=True)
    return tmp_path / "run"


def test_a_last_line_that_was_cut_off_is_written_again(complete):
    rows = (complete / "metrics.jsonl").read_bytes()
    (complete / "metrics.jsonl").write_bytes(rows[:-9])
    launch(complete)
    assert (complete / "metrics.jsonl").read_bytes() == rows


@pytest.mark.parametrize("text", [b"", b'{"exper', b"{}", b"[]", b"\xff\xfe", b"7", b"[" * 100_000])
def test_a_damaged_configuration_is_one_line(complete, capsys, text):
    (complete / "config.json").write_bytes(text)
    with unchanged(complete), fails(capsys, 2, "config.json", "choose another --workdir"):
        launch(complete)


def test_a_configuration_of_something_else_is_left_alone(tmp_path, capsys):
    """A model's folder has a config.json too."""
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with unchanged(tmp_path), fails(capsys, 2, "config.json is that of no run"):
        launch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_without_rows_the_configuration_is_compared(complete, capsys):
    (complete / "metrics.jsonl").unlink()
    with unchanged(complete), fails(capsys, 2, "learning_rate: 0.1 -> 0.2"):
        launch(complete, "--learning_rate", "0.2")


def test_a_kill_before_the_configuration_was_there_is_no_hindrance(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("lock", "config.tmp", "start-12ab.tmp"):
        (tmp_path / "run" / name).write_text("{")
    assert launch(tmp_path / "run", "--num_steps", "4")[-1]["step"] == 4
    assert not list((tmp_path / "run").glob("*.tmp"))


@pytest.mark.parametrize("name", ["config.tmp", "metrics.tmp", "timing.json", "metrics.jsonl", "figures/loss.png"])
def test_what_a_link_points_to_stays_as_it_is(complete, tmp_path, name):
    (tmp_path / "thesis.tex").write_bytes((complete / name).read_bytes() if (complete / name).exists() else b"years")
    before = (tmp_path / "thesis.tex").read_bytes()
    (complete / name).unlink(missing_ok=True)
    (complete / name).symlink_to(tmp_path / "thesis.tex")
    launch(complete, "--num_steps", "16")
    assert (tmp_path / "thesis.tex").read_bytes() == before


def test_a_lock_that_is_a_link_is_refused(complete, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    (complete / "lock").unlink()
    (complete / "lock").symlink_to(tmp_path / "thesis.tex")
    with unchanged(tmp_path), fails(capsys, 2, "--workdir"):
        launch(complete)


@pytest.mark.parametrize("name", ["a[/x]", "[bold]b", ":smile:", "ä ö", "per%cent"])
def test_paths_are_printed_as_they_are(tmp_path, capsys, name):
    launch(tmp_path / name, "--num_steps", "2")
    assert capsys.readouterr().err.splitlines()[-1] == f"done: {tmp_path / name}"


@pytest.mark.parametrize(
    ("workdir", "said"),
    [
        ("gs://b/x/y", "run.sh --bucket b) and give --workdir bucket/x/y"),
        ("gs://", "run.sh --bucket BUCKET) and give --workdir bucket/"),
        ("s3://b/x", "files are read and written in folders, not at s3://; choose a folder"),
        ("~nobody-of-that-name/x", "there is no such user"),
        ("w\udcff", "its name is not UTF-8"),
        ("w" * 300, "File name too long"),
    ],
)
def test_what_can_be_no_folder_is_refused(tmp_path, monkeypatch, capsys, workdir, said):
    monkeypatch.chdir(tmp_path)
    with unchanged(tmp_path), fails(capsys, 2, "--workdir", said):
        launch(workdir)
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert local_path("~/x", "--workdir") == tmp_path / "home" / "x"
    run.main(test_fit.__name__, ["--workdir=~/x", "--num_steps", "2"])
    assert [path.name for path in tmp_path.iterdir()] == ["home"] and (tmp_path / "home/x/config.json").exists()


@pytest.fixture(scope="module")
def rows_of_five(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    launch(folder, "--log_every", "5")
    return (folder / "metrics.jsonl").read_bytes()


INSIDE = (2, 3, 7, 8)  # a window of five, as are 1, 6 and 11


@pytest.mark.parametrize("stop", [pytest.param(n, marks=[pytest.mark.full] * (n in INSIDE)) for n in range(1, 12)])
def test_told_to_stop_anywhere_the_rows_are_those_of_the_straight_run(rows_of_five, tmp_path, capsys, stop):
    """Byte for byte: the window of training metrics goes on."""
    words = "--log_every", "5"
    with fails(capsys, 75, f"stopped at step {stop + 1}, saved"):
        launch(tmp_path / "run", *words, "--stop", str(stop))
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**saved, "stop": 0}))
    launch(tmp_path / "run", *words)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == rows_of_five


@pytest.mark.parametrize("stop", [6, 0])
def test_the_best_outlives_its_process(tmp_path, capsys, stop):
    """The worst loss is that of step 4, which three newer ones would push out."""
    words = ["--best", "test/loss:max", "--eval_every", "4", "--checkpoint_every", "2"]
    if stop:
        with fails(capsys, 75, "stopped at step 7"):
            launch(tmp_path / "run", *words, "--stop", str(stop))
        saved = json.loads((tmp_path / "run" / "config.json").read_text())
        (tmp_path / "run" / "config.json").write_text(json.dumps({**saved, "stop": 0}))
    else:
        launch(tmp_path / "run", *words, "--num_steps", "6")
    rows = launch(tmp_path / "run", *words)
    assert np.argmax(losses(rows, "test/loss")[1:]) == 0
    kept = sorted(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == [4, 8, 10, 12]


def test_a_folder_that_is_removed_while_it_runs_is_one_line(tmp_path):
    """In a process of its own, which ends at once."""
    code = (
        "import os, shutil, sys, time; from tests.run import test_fit\n"
        "real = test_fit.Batches.__getitem__\n"
        "def get(self, step):\n"
        "    while step == 6 and not os.path.exists(sys.argv[1] + '/checkpoints/4/digests.json'): time.sleep(0.01)\n"
        "    while step == 6 and os.path.exists(sys.argv[1]): shutil.rmtree(sys.argv[1], ignore_errors=True)\n"
        "    return real(self, step)\n"
        "test_fit.Batches.__getitem__ = get; test_fit.launch(sys.argv[1])"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True, cwd=ROOT)
    lines = [line for line in ended.stderr.splitlines() if not line.startswith(("step ", "compiling "))]
    assert ended.returncode == 1 and len(lines) == 1, ended.stderr
    assert f"error: {tmp_path / 'run'}: No such file or directory; there is no checkpoint" in lines[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_told_to_stop_while_figures_are_drawn(tmp_path, capsys, monkeypatch, number, code):
    """At once: it is one figure for minutes."""
    original = test_fit.build

    def build(config, loaded, axis):
        experiment = original(config, loaded, axis)

        def draw(outcome):
            os.kill(os.getpid(), number)
            raise AssertionError("it went on")

        return experiment._replace(figures={"loss": experiment.figures["loss"], "long": draw})

    straight = launch(tmp_path / "straight")
    monkeypatch.setattr(test_fit, "build", build)
    with fails(capsys, code, "stopped after the last step, which is saved; the same command draws"):
        launch(tmp_path / "run")
    monkeypatch.setattr(test_fit, "build", original)
    assert launch(tmp_path / "run") == straight
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} == {"loss.png"}


def test_told_to_stop_before_the_first_step(tmp_path, capsys, monkeypatch):
    def load(config):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(test_fit, "load", load, raising=False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job has not
    try:
        with fails(capsys, 130, "stopped before the first step"):
            launch(tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    def fail(file):
        file.write(b"half")
        raise OSError

    files.write(tmp_path / "a.json", "old")
    with pytest.raises(OSError):
        files.write(tmp_path / "a.json", fail)
    assert (tmp_path / "a.json").read_text() == "old"


def test_an_address_is_no_path():
    with pytest.raises(BadInput, match="--data_dir bucket/sets"):
        local_path("gs://b/sets", "--data_dir")
    assert local_path("a:/b", "--data_dir") == Path("a:/b")
