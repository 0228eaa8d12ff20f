"""The strata: who may import whom, where devices may be named, and that every public name says what it is."""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "adl").rglob("*.py"))
LIGHT = ("core", "prob", "nn", "sampling")
NAMED = ("run", "data", *LIGHT)
ALLOWED = {
    "core": {"core"},
    "prob": {"core", "prob"},
    "nn": {"core", "nn", "prob"},
    "data": {"core", "data"},
    "measure": {"core", "prob", "nn", "data", "measure"},
    "sampling": {"core", "prob", "nn", "data", "sampling"},
    "show": {"run", "show"},
    "run": {"core", "run"},
}
EXTRAS = {  # imported where it is called, by that module alone
    ROOT / "adl" / "flow" / "continuous.py": {"diffrax"},
    ROOT / "adl" / "rl" / "environment" / "atari.py": {"ale_py"},
    ROOT / "adl" / "rl" / "environment" / "minatar.py": {"pgx"},
    ROOT / "adl" / "rl" / "environment" / "mjx.py": {"mujoco", "gymnasium"},
    ROOT / "adl" / "rl" / "planning.py": {"mctx"},
    ROOT / "adl" / "rl" / "environment" / "pgx_games.py": {"pgx"},
}
READS = ROOT / "adl" / "run" / "inputs.py"  # a person's files, as those that are learned from
FAMILY = {"core", "prob", "nn", "data", "measure", "sampling"}
ENGINE = {"jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy"}  # JAX itself needs SciPy


def room(path: Path) -> str:
    parts = path.relative_to(ROOT / "adl").parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its direction"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "of_extra":
            assert isinstance(node.args[0], ast.Constant), f"{path}: a module of an extra is named where it is wanted"
            found.append(node.args[0].value)
    return found


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_imports_point_down(path):
    here = room(path)
    allowed = ALLOWED.get(here, FAMILY | {here})
    if path == READS:
        allowed = {*allowed, "data"}
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] != "experiments", f"{path} imports {name}: nobody imports experiments"
        assert parts[0] != "tensorflow", f"{path} imports {name}"
        if parts[0] == "adl" and len(parts) > 1:
            assert parts[1] in {*allowed, "submodules"}, f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) not in ("run", "data", "show")], ids=identify)
def test_algorithms_need_only_the_engine(path):
    for name in imports(path):
        top = name.split(".")[0]
        wanted = ENGINE | EXTRAS.get(path, set()) | {"adl"}
        assert top in wanted | set(sys.stdlib_module_names), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_only_lifts_name_devices_and_compilation(path):
    if path.parent == ROOT / "adl" / "core" and path.stem in ("place", "layout", "probe", "key"):
        return
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not names & {"pmap", "jit", "shard_map", "make_mesh"}, path


@pytest.mark.parametrize("path", FILES + sorted((ROOT / "experiments").rglob("*.py")), ids=identify)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                public = isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
                obvious = isinstance(method, ast.FunctionDef) and method.name in ("setup", "value")
                if public and not obvious:
                    assert ast.get_docstring(method), f"{path}: {node.name}.{method.name} has no docstring"


@pytest.mark.parametrize("path", FILES + sorted((ROOT / "experiments").rglob("*.py")), ids=identify)
def test_file_names_say_something(path):
    assert path.stem not in {"utils", "util", "common", "misc", "base", "helpers", "trainer"}


def test_light_import():
    """`import adl` and the algorithms need nothing of data, command line or plotting, nor TensorFlow ever."""
    rooms = sorted({room(path) for path in FILES} - {"", "run", "data", "show", "measure"})
    code = (
        "import sys, time, jax; start = time.perf_counter(); import adl; seconds = time.perf_counter() - start;"
        + "".join(f"import adl.{name};" for name in rooms)
        + "heavy = {'tensorflow_datasets', 'grain', 'tyro', 'matplotlib', 'orbax', 'sklearn', 'tensorflow',"
        "'cv2', 'tensorboardX'} & set(sys.modules); assert not heavy, heavy; assert seconds < 0.1, seconds"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_factories_are_of_a_model_a_transformation_and_words(path):
    """`name(model, tx, *, ..., axis=None)`: at most two by place, `tx` the second, and `prepare` for the batch."""
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or room(path) in ("core", ""):
            continue
        if node.returns is None or ast.unparse(node.returns) != "Algorithm":
            continue
        places, words = ([arg.arg for arg in args] for args in (node.args.args, node.args.kwonlyargs))
        assert not node.args.vararg and not node.args.kwarg and not node.args.defaults, node.name
        assert len(places) <= 2 and "tx" not in words, f"{node.name}({', '.join(places)}, *, {', '.join(words)})"
        assert "tx" not in places or places == ["model", "tx"], node.name
        assert "axis" not in [*places, *words[:-1]], f"{node.name}: axis comes last"
        assert not {*places, *words} & {"encode", "augment", "transform"}, node.name


PACKAGES = sorted(path.parent.name for path in (ROOT / "adl").glob("*/__init__.py"))
WORDS = {"core", "data", "run", "show"}  # packages that lend their modules' words


def public(path: Path, *kinds: type) -> list[str]:
    """Names that a file defines for others, of these kinds."""
    nodes = ast.parse(path.read_text()).body
    return [node.name for node in nodes if isinstance(node, kinds) and not node.name.startswith("_")]


def test_modules_are_reached_without_being_imported():
    """`import adl; adl.gan.adversarial.gan` works at once; a family lends no words, and lists its modules."""
    asked = "import adl\n"
    for package in set(PACKAGES) - WORDS:
        for folder in {path.parent for path in (ROOT / "adl" / package).rglob("__init__.py")}:
            name = ".".join(folder.relative_to(ROOT).parts)
            paths = {path.stem: path for path in folder.glob("*.py") if path.stem != "__init__"}
            below = [path.parent.name for path in folder.glob("*/__init__.py")]
            asked += f"assert sorted(dir({name})) == {sorted([*paths, *below])}, {name}\n"
            for stem, path in paths.items():
                words = public(path, ast.FunctionDef, ast.ClassDef)
                asked += f"assert all(hasattr({name}.{stem}, word) for word in {words}), {name}.{stem}\n"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT)
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_shadows_its_module(package):
    room = ROOT / "adl" / package
    modules = {path.stem for path in room.glob("*.py")}
    lent = {
        alias.asname or alias.name
        for node in ast.parse((room / "__init__.py").read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module != f"adl.{package}"
        for alias in node.names
    }
    assert not lent & modules


# Twins, which answer to the same names: models of discrete and of continuous states.
TWINS = {"Filtered", "Smoothed"}
# Words of the field, each in the module that says of what. The list may only shrink.
FIELD = """
acceptance bernoulli binary check compared cosine count denoiser dequantised drawn elbo energy finite fit flat
forward gaussian gibbs greedy grid importance in_turn jitted joint judged karras kl known learned
least_squares linear load log_evidence log_joint log_likelihood log_normaliser log_odds log_prob logistic main
matrices merged mutual_information normal_log_prob observed of orthonormal over_seeds over_values perceptrons
predict prepared repeated rounded rows sample score scores smooth splits spread standard start surprise
transition uniform viterbi weights windows words
""".split()


def test_a_name_is_one_thing():
    """A class is defined once; so is a function, but for words of the field and for a measure and its figure."""
    classes, functions = defaultdict(list), defaultdict(list)
    for path in FILES:
        for name in public(path, ast.ClassDef):
            classes[name].append(identify(path))
        for name in public(path, ast.FunctionDef):
            if room(path) != "show":
                functions[name].append(identify(path))
    twice = {name for name, where in classes.items() if len(where) > 1}
    assert twice <= TWINS, {name: classes[name] for name in twice - TWINS}
    twice = {name for name, where in functions.items() if len(where) > 1}
    assert twice <= {*FIELD}, {name: functions[name] for name in twice - {*FIELD}}
    assert {*FIELD} <= twice, f"no longer defined twice: {sorted({*FIELD} - twice)}"
