"""Claims: what experiments promise, as text and beside what was last measured."""

import fcntl
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from adl.core import BadInput
from adl.run.experiment import Claim
from adl.run.folder import read_object, write

SHOWN = {  # of a record, and what it is
    **{"value": (int, float), "standard_error": (int, float, type(None)), "num_seeds": int, "holds": bool},
    **{"seconds": (int, float), "peak_memory_mib": (int, float, type(None)), "hardware": str, "date": str},
}
Measured = dict[str, dict[str, Any]]  # claim -> what was measured, as in `<name>.measured.json`


def discover(package: ModuleType) -> dict[str, ModuleType]:
    """The modules of a package and of its folders that make claims, by name: "gan.image"."""
    return {name: member(package, name) for name in claiming(package)}


def claiming(package: ModuleType) -> list[str]:
    """Their names, of which nothing is imported; a module that is no package is the only one of its own."""
    if not hasattr(package, "__path__"):
        return [package.__name__] if hasattr(package, "CLAIMS") else []
    return [name for folder in package.__path__ for name in _claiming(folder)]


def member(package: ModuleType, name: str) -> ModuleType:
    """The module of that name in a package, imported.

    Raises:
      BadInput: if it cannot be, or its claims are none.
    """
    module = imported(f"{package.__name__}.{name}") if hasattr(package, "__path__") else package
    claims = module.CLAIMS
    if not isinstance(claims, tuple | list) or not claims or not all(isinstance(claim, Claim) for claim in claims):
        raise BadInput(f"{module.__name__}: CLAIMS is a tuple of run.Claim(...), with a comma behind the only one")
    return module


def imported(name: str) -> ModuleType:
    """A module by its full name.

    Raises:
      BadInput: where importing it fails, with what failed, and where.
    """
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        own = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not re.search(r"^<|site-packages", frame.filename) and frame.filename != __file__
        ]
        where = f" ({own[-1].filename}, line {own[-1].lineno})" if own and not isinstance(error, SyntaxError) else ""
        raise BadInput(f"{name} cannot be imported: {said}{where}") from error


def asked(package: ModuleType) -> str:
    """The command that asks for the catalogue of a package: its own, or that of any."""
    has_own = hasattr(package, "__path__") and importlib.util.find_spec(f"{package.__name__}.__main__")
    return f"python -m {package.__name__}" if has_own else f"python -m adl.run {shlex.quote(package.__name__)}"


def _claiming(folder: str) -> Iterator[str]:
    for module in pkgutil.iter_modules([folder]):
        path = Path(folder, f"{module.name}.py")
        if module.ispkg:
            yield from (f"{module.name}.{name}" for name in _claiming(os.path.join(folder, module.name)))
        elif path.exists() and re.search(r"^CLAIMS\b", path.read_text(errors="replace"), re.MULTILINE):
            yield module.name


def read_measured(module: ModuleType) -> Measured:
    """What was last measured of a module's claims; nothing where there is no `<name>.measured.json` beside it.

    Raises:
      BadInput: if that file holds something else.
    """
    path = _path(module)
    records = read_object(path, f"{path.parent}: ", "remove it and verify again") or {}
    if not all(map(_is_measured, records.values())):
        raise BadInput(f"{path.parent}: {path.name} is damaged; put it back as it was, or remove it and verify again")
    return records


def _is_measured(record: Any) -> bool:
    """Whether a record has all that is shown of it, of its type."""
    return isinstance(record, dict) and all(
        isinstance(record.get(name), kinds) and (type(record[name]) is not bool or kinds is bool)
        for name, kinds in SHOWN.items()
    )


def write_measured(module: ModuleType, records: Measured) -> None:
    """Puts new records in place of old ones, in one move; those of claims that are no longer made go.

    Under a lock: of several that measure at once, none loses what another wrote.
    """
    if not records:
        return
    path, known = _path(module), {key(claim) for claim in module.CLAIMS}
    with path.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        merged = {**read_measured(module), **records}
        kept = {claim: record for claim, record in merged.items() if claim in known}
        write(path, json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def missing(claim: Claim, data_dir: str = "") -> str:
    """The first of the claim's `needs` that is not here, as text; empty where all are."""
    return next((need for need in claim.needs if not _is_there(*need.split(), data_dir=data_dir)), "")


def _is_there(kind: str, name: str = "", *, data_dir: str) -> bool:
    """Whether there is a "gpu" or "tpu", all of an "extra NAME", or a "data NAME" in TFDS' folder."""
    if kind == "extra":
        wanted = [
            re.split(r"[^\w.-]", requirement)[0]
            for requirement in importlib.metadata.requires("adl") or ()
            if re.search(rf"extra == .{re.escape(name)}.$", requirement)
        ]
        return bool(wanted) and all(map(_is_installed, wanted))
    if kind == "data":
        default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        return (Path(data_dir or default).expanduser() / name).is_dir()
    # In a process of its own: who looks for an accelerator takes it.
    code = "import jax; print(jax.default_backend())"
    return (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip() == kind
    )


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def words(overrides: Mapping[str, Any]) -> list[str]:
    """A configuration as command-line words."""
    values = {name: value if isinstance(value, list | tuple) else [value] for name, value in overrides.items()}
    return [word for name, several in values.items() for word in (f"--{name}", *map(str, several))]


def key(claim: Claim) -> str:
    """Name of a claim within its experiment: its metric, and how its run differs from the default."""
    return " ".join([*_reduction(claim), claim.metric, *words(claim.overrides)])


def command(module: ModuleType, claim: Claim) -> str:
    """The command that makes a claim's run, as one would type it."""
    return shlex.join(["python", "-m", module.__name__, *words(claim.overrides)])


def bound(claim: Claim) -> str:
    """`metric >= bound` as text."""
    metric = " ".join([*_reduction(claim), claim.metric])
    low = f"{claim.at_least:g}" if math.isfinite(claim.at_least) else ""
    high = f"{claim.at_most:g}" if math.isfinite(claim.at_most) else ""
    if low and high:
        return f"{low} <= {metric} <= {high}"
    return f"{metric} >= {low}" if low else f"{metric} <= {high}"


def described(record: Mapping[str, Any]) -> str:
    """A measurement in two lines: the number, and where and when."""
    error = record["standard_error"]
    seeds = "1 seed" if record["num_seeds"] == 1 else f"{record['num_seeds']} seeds"
    seeds = f"the worst of {seeds}" if record.get("reduce") == "worst" else seeds
    spread = f" ± {error:.2g}" if error is not None else ""
    return f"{record['value']:.4g}{spread} ({seeds})\n{record['date']}, {record['hardware']}"


def _reduction(claim: Claim) -> list[str]:
    return [] if claim.reduce == "mean" else [claim.reduce]


def _path(module: ModuleType) -> Path:
    return Path(module.__file__).with_suffix(".measured.json")
