"""Claims: what the experiments of a package promise, as text and beside what was last measured."""

import importlib
import json
import math
import os
import pkgutil
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.markup import escape
from rich.table import Table

from adl.run.experiment import Claim

Measured = dict[str, dict[str, dict[str, Any]]]  # experiment -> claim -> what was measured, as in measured.json


def discover(package: ModuleType) -> dict[str, ModuleType]:
    """The package's modules that make claims, by name."""
    folder = Path(package.__path__[0])
    names = [module.name for module in pkgutil.iter_modules([str(folder)]) if not module.ispkg]
    claiming = [name for name in names if re.search(r"^CLAIMS\b", (folder / f"{name}.py").read_text(), re.MULTILINE)]
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in claiming}


def read_measured(package: ModuleType) -> Measured:
    """What `measured.json` of the package holds; nothing where there is none."""
    path = _path(package)
    return json.loads(path.read_text()) if path.exists() else {}


def write_measured(package: ModuleType, module: ModuleType, records: Mapping[str, dict[str, Any]]) -> None:
    """Puts new records in place of old ones, in one move; those of claims that are no longer made go."""
    if not records:
        return
    measured, name = read_measured(package), module.__name__.rpartition(".")[2]
    known = {key(claim) for claim in module.CLAIMS}
    merged = {**measured.get(name, {}), **records}
    measured[name] = {claim: record for claim, record in merged.items() if claim in known}
    path = _path(package)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(measured, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def listing(modules: Mapping[str, ModuleType], measured: Measured) -> Table:
    """A line for each claim of each experiment."""
    table = Table("experiment", "what", "claim", "last measured", "command")
    for name, module in modules.items():
        what = (module.__doc__ or "").partition("\n")[0]
        for index, claim in enumerate(module.CLAIMS):
            record = measured.get(name, {}).get(key(claim))
            table.add_row(
                *(("", "") if index else (name, escape(what))),
                bound(claim) + (" (long)" if claim.long else ""),
                described(record) if record else "not yet measured",
                escape(command(module, claim)),
                end_section=index == len(module.CLAIMS) - 1,
            )
    return table


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


def _path(package: ModuleType) -> Path:
    return Path(package.__path__[0]) / "measured.json"
