"""How long things may be, and what an experiment may hold: its claim, its numbers, its objects."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FAMILIES = sorted(path for path in (ROOT / "experiments").iterdir() if (path / "__main__.py").exists())
EXPERIMENTS = [
    path for family in FAMILIES if family.name != "bench" for path in sorted(family.glob("*.py")) if path.stem[0] != "_"
]
# Exceptions may only go.
LONGER_THAN_150: set[str] = set()
BUILD_LONGER_THAN_40: set[str] = set()
MORE = {"matplotlib", "logging", "argparse", "tyro", "time", "subprocess"}  # what an experiment has no use for


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "experiments").with_suffix("").parts)


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_experiments_have_at_most_150_lines():
    assert {name(path) for path in EXPERIMENTS if length(path) > 150} == LONGER_THAN_150
    assert statistics.median(map(length, EXPERIMENTS)) <= 130


def test_builds_have_at_most_40_lines():
    found = {
        name(path): node.end_lineno - node.lineno + 1
        for path in EXPERIMENTS
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "build"
    }
    assert len(found) == len(EXPERIMENTS)
    assert {name for name, lines in found.items() if lines > 40} == BUILD_LONGER_THAN_40


def test_files_of_the_library_have_at_most_300_lines():
    assert not [path for path in (ROOT / "adl").rglob("*.py") if length(path) > 300]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_an_experiment_holds_no_flag_device_or_drawing_and_imports_no_other(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for imported in names:
            assert imported.partition(".")[0] not in {*MORE, "experiments"}, f"{path} imports {imported}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"jit", "pmap", "devices", "device_put", "ensure_compile_time_eval"}, path
