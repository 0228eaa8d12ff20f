"""The README's code runs, and its commands are those that there are."""

import re
from pathlib import Path

import experiments
from adl.run.contents import families

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_code_without_the_runner_trains(capsys):
    (code,) = re.findall(r"## Without the runner\n\n```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    accuracy = [float(word) for word in re.findall(r"[\d.]+", capsys.readouterr().out)]
    assert len(accuracy) == 4 and min(accuracy) > 0.9


def test_table_is_the_catalogues():
    """`python -m experiments list --markdown` prints it."""
    assert families(experiments) in README
