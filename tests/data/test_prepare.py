"""Preparing a bundled set: processes may race, be killed, find no place to write; data is whole, or it is absent."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from adl.core import BadInput
from adl.data.bundled import Digits
from adl.data.prepare import prepared
from adl.data.source import load

# Prepares the digits in argv[1] together with another process; then in argv[2], and dies over it.
OTHER = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from tests.data.test_prepare import at_example_100, meet, total
from adl.data.bundled import Digits

whole = Digits._generate_examples
Digits._generate_examples = at_example_100(whole, lambda: meet(sys.argv[1]))
print(total(sys.argv[1]), flush=True)
Digits._generate_examples = at_example_100(whole, lambda: os.kill(os.getpid(), signal.SIGKILL))
total(sys.argv[2])
"""
KEPT = ["dataset_info.json", "digits-test.array_record-00000-of-00001", "digits-train.array_record-00000-of-00001"]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "adl" / "tfds"


def at_example_100(examples, action):
    """`_generate_examples` that acts half-way."""

    def generate(self, rows):
        for index, example in examples(self, rows):
            if index == 100 and rows.start == 0:
                action()
            yield index, example

    return generate


def meet(folder: str) -> None:
    """Waits until two processes are here."""
    Path(folder, f"here-{os.getpid()}").touch()
    late = time.monotonic() + 100
    while len(list(Path(folder).glob("here-*"))) < 2:
        assert time.monotonic() < late, "the other process never came"
        time.sleep(0.01)


def total(folder: Path | str = "") -> int:
    return int(load("digits", "train", str(folder)).arrays["image"].astype(int).sum())


def read_only(folder: Path) -> Path:
    folder.mkdir(parents=True)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "digits" / "1.0.0").iterdir())


def test_two_processes_at_once_and_one_that_is_killed(tmp_path, cache, monkeypatch):
    both, fatal = tmp_path / "both", tmp_path / "fatal"
    both.mkdir()
    command = [sys.executable, "-W", "error", "-c", OTHER, str(both), str(fatal), str(Path(__file__).parents[2])]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with monkeypatch.context() as patch:
        patch.setattr(Digits, "_generate_examples", at_example_100(Digits._generate_examples, lambda: meet(both)))
        ours = total(both)
    theirs, errors = other.communicate(timeout=120)
    assert (other.returncode, errors) == (-signal.SIGKILL, "")
    assert ours == int(theirs) == total()
    assert set(KEPT) <= set(files(both)) and not list(both.glob(".digits*"))
    assert not (fatal / "digits").exists(), "what a killed process left must not be taken for the data"
    assert total(fatal) == ours and files(fatal) == files(both)


def test_a_read_only_folder_is_left_alone(tmp_path, cache, capfd):
    folder = read_only(tmp_path / "shared")
    assert prepared("digits", folder) == cache
    assert files(cache) and not list(folder.iterdir()) and not list(cache.glob(".digits*"))
    before = (cache / "digits" / "1.0.0").stat().st_mtime_ns
    assert prepared("digits", folder) == cache and (cache / "digits" / "1.0.0").stat().st_mtime_ns == before
    assert len(load("digits", "test", str(folder))) == 360
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_can_be_written_gets_its_own(tmp_path, cache):
    prepared("digits", read_only(tmp_path / "shared"))
    assert prepared("digits", tmp_path / "mine") == tmp_path / "mine" and files(tmp_path / "mine") == files(cache)


def test_what_is_there_is_used(tmp_path, cache):
    (tmp_path / "shared" / "digits" / "1.0.0").mkdir(parents=True)
    assert prepared("digits", tmp_path / "shared") == tmp_path / "shared" and not cache.exists()


def test_another_version_is_not_taken_for_this_one(tmp_path, cache):
    (tmp_path / "mine" / "digits" / "0.9.0").mkdir(parents=True)
    assert prepared("digits", tmp_path / "mine") == tmp_path / "mine" and files(tmp_path / "mine")


def refusal(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load("digits", "train", str(folder))
    assert "\n" not in str(caught.value) and str(caught.value).endswith("give a --data_dir that can be written")
    return str(caught.value)


def test_no_place_to_write_is_one_line(tmp_path, cache):
    folder = read_only(tmp_path / "shared")
    read_only(cache)
    text = refusal(folder)
    assert f"{folder}: Permission denied; {cache}: Permission denied" in text
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file: File exists; " in refusal(tmp_path / "file")


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, cache):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        text = refusal(tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in text
    assert not list((tmp_path / "full").iterdir()) and not list(cache.iterdir())
    assert len(load("digits", "train", str(tmp_path / "full"))) == 1437, "once there is space, it works"


def test_labels_and_splits_are_declared(cache):
    info = load("digits", "train").info
    assert info.name == "digits" and {name: s.num_examples for name, s in info.splits.items()} == {
        "train": 1437,
        "test": 360,
    }
    assert str(info.version) == str(Digits.VERSION) and np.prod(info.features["image"].shape) == 64
    assert os.path.isdir(info.data_dir)
