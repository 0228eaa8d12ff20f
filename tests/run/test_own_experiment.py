"""An experiment outside the repository, the README's: run, resumed and verified from another folder, with the wheel."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from adl import run
from adl.run.__main__ import main, opened
from adl.run.claim import claiming
from adl.run.contents import families, listing

ROOT = Path(__file__).parent.parent.parent
(TEMPLATE,) = re.findall(r"`my_experiment.py`:\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
QUICK = TEMPLATE.replace("at_least=0.9)", 'overrides={"num_steps": 4}, at_least=0.05)')
SHORT = ["--num_steps", "4", "--batch_size", "16"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A folder with what the wheel installs, built from the files that go into it alone."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("adl", "experiments"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(folder), str(folder / "source")], check=True)
    (built,) = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder, from which `python -m` would import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None) or sys.modules[name].__spec__):
            del sys.modules[name]


def package(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in {"__init__": "", **files}.items():
        (folder / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


def test_the_template_is_short():
    assert TEMPLATE.count("\n") <= 42 and QUICK != TEMPLATE


def test_the_wheel_carries_experiments_and_what_was_measured_of_them(wheel):
    for path in [*(ROOT / "experiments").rglob("*"), *(ROOT / "adl").rglob("*.py")]:
        if path.suffix in (".py", ".json") and "__pycache__" not in path.parts:
            assert (wheel / path.relative_to(ROOT)).exists(), path


def test_it_runs_anywhere_with_the_wheel(wheel, tmp_path):
    """Of a file with a space in its name, from another folder; resumed by the same command; then verified."""
    check = f"import adl\nassert adl.__file__.startswith({str(wheel)!r}), adl.__file__\n"
    package(tmp_path / "mypackage", __init__=check, one=QUICK)
    (tmp_path / "my file.py").write_text(TEMPLATE)
    (tmp_path / "elsewhere").mkdir()

    def ran(*words: str, where: str = ".") -> str:
        env = {**os.environ, "PYTHONPATH": str(wheel)}
        done = subprocess.run([sys.executable, *words], cwd=tmp_path / where, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    ran("../my file.py", *SHORT, where="elsewhere")
    (workdir,) = (tmp_path / "elsewhere" / "runs").glob("my file*")
    assert json.loads((workdir / "config.json").read_text())["experiment"] == "my file"
    again = ["my file.py", *SHORT, "--workdir", str(workdir)]
    code = (
        f"import runpy, sys; sys.argv = {again}; runpy.run_path(sys.argv[0], run_name='__main__');"
        "from adl.run.__main__ import main; main(['mypackage', 'verify'])"
    )
    said = ran("-c", code)
    assert "looks again at step 4 of 4" in said and "test/accuracy >= 0.05" in said
    (record,) = json.loads((tmp_path / "mypackage" / "one.measured.json").read_text()).values()
    assert record["command"] == "python -m mypackage.one --num_steps 4" and record["holds"]


def test_a_package_a_folder_and_a_file_are_catalogues(here, capsys):
    package(here / "mypackage", one=TEMPLATE, unguarded=TEMPLATE.replace('if __name__ == "__main__":\n    run', "run"))
    (here / "my file.py").write_text(TEMPLATE)
    for word in ("mypackage", "mypackage/", str(here / "mypackage")):
        assert claiming(opened(word)) == ["one", "unguarded"], word
    lines = listing(opened("mypackage"))
    assert lines[1].split()[:2] == ["one", "0/1"] and lines[-1].endswith("python -m adl.run mypackage list NAME")
    assert "| `python -m mypackage.one` | Digits, told apart" in families(opened("mypackage"))
    alone = opened("my file.py")
    assert "  python -m 'my file'" in listing(alone, ["my file"]) and listing(alone)[-1].endswith("'my file' list NAME")
    main(["mypackage", "list", "one"])
    assert "test/accuracy >= 0.9" in capsys.readouterr().out


BROKEN = {
    "CLAIMS = (\n": r"SyntaxError: '\(' was never closed \(one.py, line 1\)",
    "CLAIMS = (x,)\n": r"NameError: name 'x' is not defined \(.*one.py, line 1\)",
    "import nosuch\nCLAIMS = ()\n": r"ModuleNotFoundError: No module named 'nosuch' \(.*one.py, line 1\)",
    "import sys\nsys.exit(3)\nCLAIMS = ()\n": "SystemExit: 3",
    "CLAIMS = ()\n": "bad.one: CLAIMS is a tuple of run.Claim",
    "from adl import run\nCLAIMS = run.Claim('a', 'b', at_least=1)\n": "bad.one: CLAIMS is a tuple of run.Claim",
    "x = 1\n": "bad: nothing in it makes claims",
}


def refusal(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    told = capsys.readouterr()
    assert stop.value.code == 2 and told.out == "" and told.err.count("\n") == 1, told
    return told.err.removeprefix("error: ")


@pytest.mark.parametrize("text", BROKEN)
def test_a_module_that_cannot_be_read_is_one_line(here, capsys, text):
    package(here / "bad", one=text)
    assert re.search(BROKEN[text], refusal(capsys, "bad"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a package of experiments, or a file; here are mine, mypackage"),
        (("mypackge",), "no package or file mypackge here; .*; did you mean mypackage?"),
        (("mypackage.nosuch",), "no package or file mypackage.nosuch here"),
        (("nosuch.py",), "no package or file nosuch.py here"),
        (("",), "no package or file  here"),
        (("a..b",), "no package or file a..b here"),
        (("--lits",), "no package or file --lits here"),
        (("json",), "json: nothing in it makes claims"),
        (("random.py",), "random.py: .*/random.py has the same name; rename yours"),
        (("a.b.py",), "a.b.py: Python imports no name with a dot in it"),
        (
            ("mypackage", "oen"),
            "no command oen; there are list, verify, .*, play, chat; did you mean one?",
        ),
        (("mypackage", "one"), "one: `python -m mypackage.one` runs it, `python -m adl.run mypackage list one` says"),
        (("mypackage", "list", "two"), "no experiment two; there are one"),
        (("mine", "list"), ".*: mine.measured.json is damaged; put it back as it was, or remove it and verify again"),
        (("mine", "verify"), ".*: mine.measured.json is damaged"),
    ],
)
def test_what_is_no_package_is_one_line(here, capsys, words, said):
    package(here / "mypackage", one=TEMPLATE)
    for name in {"mine", *(Path(word).stem for word in words if word in ("random.py", "a.b.py"))}:
        (here / f"{name}.py").write_text(TEMPLATE)
    (here / "mine.measured.json").write_text("[1")
    assert re.match(said, refusal(capsys, *words))


@pytest.mark.parametrize(("word", "lacks"), [("class Config", "Config"), ("def build", "build")])
def test_a_file_that_is_no_experiment_says_what_it_lacks(here, capsys, word, lacks):
    (here / "lacking.py").write_text(TEMPLATE.replace(word, f"{word}2"))
    with pytest.raises(SystemExit) as stop:
        run.main("lacking", [])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and re.match(rf"error: .*lacking.py: an experiment has .*this has no {lacks}\n$", said)
