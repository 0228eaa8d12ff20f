"""XLA is given the flags that it takes, found by trials whose answers are kept."""

import json
import os
import signal
import subprocess
import sys
import time

import jaxlib
import pytest

from adl.run import machine

REAL = ["--xla_force_host_platform_device_count=2", "--xla_backend_optimization_level=0"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def trials(cache, monkeypatch):
    """Flags of each trial, in order; XLA, played here, takes those that hold no `bad`."""
    asked = []

    def run(command, *, env, timeout, **_):
        flags = env["XLA_FLAGS"].split()
        asked.append(flags)
        if "--slow" in flags:
            raise subprocess.TimeoutExpired(command, timeout)
        code = -signal.SIGKILL if "--killed" in flags else 1 if "bad" in "".join(flags) else 0
        return subprocess.CompletedProcess(command, code, "" if "--broken_bad" in flags else "ready\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def kept(cache):
    (file,) = cache.rglob("*.json")
    return json.loads(file.read_text())


def test_xla_itself_says_which_flags_it_takes(cache):
    no_flag, no_value = "--xla_nosuch=1", "--xla_cpu_experimental_ynn_fusion_type=nosuch"
    assert machine.known([REAL[0], no_flag, no_value, REAL[1]]) == REAL
    assert kept(cache) == {**dict.fromkeys(REAL, True), no_flag: False, no_value: False}


def test_a_name_in_the_librarys_text_is_no_flag(cache):
    """The text of jaxlib 0.10 and 0.12 holds `xla_cpu_use_fusion_emitters`; XLA takes it in 0.10 alone."""
    flag = "--xla_cpu_use_fusion_emitters=false"
    environment = {**os.environ, "XLA_FLAGS": flag}
    program = [sys.executable, "-c", "import jax; jax.devices()"]
    lives = subprocess.run(program, env=environment, capture_output=True).returncode == 0
    assert machine.known([flag]) == [flag] * lives


def test_flags_that_are_all_known_cost_one_process_and_none_again(trials):
    assert machine.known(["--a", "--b", "--c"]) == ["--a", "--b", "--c"]
    assert machine.known(["--b", "--a"]) == ["--b", "--a"]
    assert trials == [["--a", "--b", "--c"]]


def test_flags_are_tried_alone_where_together_they_fail(trials, cache):
    assert machine.known(["--a", "--bad", "--c"]) == ["--a", "--c"]
    assert trials == [["--a", "--bad", "--c"], ["--a"], ["--bad"], ["--c"]]
    assert machine.known(["--bad", "--d"]) == ["--d"]
    assert trials[4:] == [["--d"]]


@pytest.mark.parametrize("flag", ["--slow", "--killed", "--broken_bad"])
def test_what_got_no_answer_is_left_out_and_asked_again(trials, cache, flag):
    assert machine.known([flag, "--a"]) == ["--a"]
    assert kept(cache) == {"--a": True}
    before = len(trials)
    assert machine.known([flag]) == []
    assert len(trials) > before


def test_another_library_is_asked_anew(trials, monkeypatch, tmp_path):
    machine.known(["--a"])
    (tmp_path / "_xla.so").write_bytes(b"another")
    monkeypatch.setattr(jaxlib, "__file__", str(tmp_path / "__init__.py"))
    machine.known(["--a"])
    (tmp_path / "_xla.so").write_bytes(b"and another")
    machine.known(["--a"])
    machine.known(["--a"])
    assert trials == [["--a"]] * 3


@pytest.mark.parametrize("text", ["", "[1]", '{"--a": tr', '{"--a": "yes"}', "\0"])
def test_a_damaged_file_is_no_answer(trials, cache, text):
    machine.known(["--a"])
    (file,) = cache.rglob("*.json")
    file.write_text(text)
    assert machine.known(["--a"]) == ["--a"]
    assert kept(cache) == {"--a": True} and len(trials) == 2


def test_without_a_cache_each_start_asks(trials, cache):
    cache.write_text("a file where the folder would be")
    assert machine.known(["--a", "--bad"]) == machine.known(["--a", "--bad"]) == ["--a"]
    assert len(trials) == 6


def test_several_processes_at_once_do_no_harm(cache):
    """Each asks 200 flags one by one while the others do: all answers are right, and the file is always whole."""
    program = """
from adl.run import machine
machine._trial = lambda flags: not any("bad" in flag for flag in flags)
for index in range(200):
    assert machine.known([f"--bad_{index}", f"--good_{index}"]) == [f"--good_{index}"]
"""
    others = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    while any(other.poll() is None for other in others):
        for file in (cache / "adl" / "flags").glob("*.json"):
            assert json.loads(file.read_text())
        time.sleep(1e-3)
    assert [other.wait() for other in others] == [0, 0, 0]
    answers = kept(cache)
    assert answers["--good_199"] and not answers["--bad_199"]
    assert [path.name for path in cache.rglob("*") if path.is_dir()] == ["adl", "flags"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", [machine.CPU_FLAG]),
        (REAL[1], [REAL[1]]),
        (REAL[0], [REAL[0], *machine.VIRTUAL_FLAGS]),
        (f"{REAL[0]} {machine.CPU_FLAG}", [REAL[0], machine.CPU_FLAG, *machine.VIRTUAL_FLAGS[::2]]),
    ],
    ids=["none", "the user's", "virtual devices", "virtual devices, the user's"],
)
def test_xla_starts_under_what_is_prepared(given, wanted):
    program = (
        "from adl.run.machine import prepare; prepare(); import os, jax; jax.devices(); print(os.environ['XLA_FLAGS'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "XLA_FLAGS": given}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == wanted


def test_processor_has_a_name():
    assert machine.processor() == machine.processor().strip() != ""
