"""A benchmark that cannot run says so in one line, and what to install."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.bench import apart
from experiments.bench.__main__ import main

ROOT = Path(__file__).parent.parent
WITHOUT = """
import sys

class Hidden:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from experiments.bench.__main__ import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("ppo", "torch"),
        ("ppo", "gymnasium"),
        ("dqn_threshold", "stable_baselines3"),
        ("nuts", "blackjax"),
        ("smc", "blackjax"),
    ],
)
def test_missing_peer_is_one_line_that_names_the_extra(name, peer):
    """In a process of its own, in which nobody finds the peer."""
    if peer == "gymnasium":
        pytest.importorskip("stable_baselines3")  # which would be missed before
    command = [sys.executable, "-c", WITHOUT, peer, name]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"error: the benchmark {name} needs {peer}: pip install -e '.[bench]'\n"


def test_unknown_benchmark_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["mixtur"])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: no benchmark mixtur; there are ")
    assert printed.endswith("; did you mean mixture?\n") and printed.count("\n") == 1


def counting(start):
    counter = itertools.count(start)
    return lambda: (os.getpid(), next(counter))


def test_contenders_apart_have_a_process_each_and_keep_their_state():
    first, second = apart(counting, 5), apart(counting, 7)
    (one, five), (other, seven) = first(), second()
    assert len({one, other, os.getpid()}) == 3
    assert (five, seven) == (5, 7)
    assert first() == (one, 6)
