"""The scripts before a linter of shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [*sorted((ROOT / "tpu_scripts").rglob("*.sh")), ROOT / ".ci" / "run"]
LINTER = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(LINTER is None, reason="no shellcheck here")
def test_shellcheck_has_nothing_to_say():
    done = subprocess.run([LINTER, "-x", "-P", "SCRIPTDIR", *SCRIPTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_lines_fit(path):
    assert max(map(len, path.read_text().splitlines())) <= 120
