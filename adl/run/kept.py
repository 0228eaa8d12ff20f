"""What a run's folder holds for those who only look: whose run it is, and which checkpoints are whole."""

import re
import typing
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from adl.core import BadInput
from adl.run import flags, folder, seal
from adl.run.claim import imported
from adl.run.config import Study
from adl.run.experiment import Definition

CHECKPOINTS = "checkpoints"


def run_below(path: Path) -> Path:
    """The folder of the run that is, or lies below, a path.

    Raises:
      BadInput: if there is none, or more than one.
    """
    if (path / folder.CONFIG).exists():
        return path
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such folder; a run's has {folder.CONFIG} and {CHECKPOINTS}/")
    found = sorted(place.parent for depth in ("*", "*/*") for place in path.glob(f"{depth}/{folder.CONFIG}"))
    if not found:
        raise BadInput(f"{path}: it holds no run; a run's folder has {folder.CONFIG} and {CHECKPOINTS}/")
    if len(found) > 1:
        shown = ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise BadInput(f"{path}: it holds {len(found)} runs, and one is wanted: {shown}")
    return found[0]


def recorded(home: Path, module: str | ModuleType | None = None) -> tuple[Definition, Study]:
    """The experiment and the configuration that a run's `config.json` names.

    Raises:
      BadInput: if it is damaged, names no experiment that can be imported, or fields or values that this one has not.
    """
    saved = folder.read_object(home / folder.CONFIG, f"{home}: ", "load another run")
    name = (saved or {}).pop("experiment", None)
    if not isinstance(name, str):
        raise BadInput(f"{home}: its {folder.CONFIG} is that of no run")
    definition = Definition.of(_importable(home, name, module))
    hints, fields = typing.get_type_hints(definition.config), definition.config.__dataclass_fields__
    if unknown := [field for field in saved if field not in fields]:
        raise BadInput(
            f"{home}: its run has a field {unknown[0]}, and {definition.name} none: it is of another version"
        )
    if lost := [field for field in fields if field not in saved]:
        told = ", ".join(f"{field} = {fields[field].default!r}" for field in lost)
        warnings.warn(f"{home} is of a version without {told}", stacklevel=3)
    values = {field: tuple(value) if isinstance(value, list) else value for field, value in saved.items()}
    for field, value in values.items():
        if not _is_of(value, hints[field]):
            raise BadInput(f"{home}: {folder.CONFIG} says {field} = {value!r}, which is no value of that field")
    try:
        config = definition.config(**values)
        flags.check(config)
    except BadInput as error:
        raise BadInput(f"{home}: {folder.CONFIG}: {error}") from None
    return definition, config


def kept_steps(home: Path) -> list[int]:
    """Steps of the checkpoints that are written to their end, rising.

    Raises:
      BadInput: if there is none, or they may not be read.
    """
    try:
        kept = [int(place.name) for place in seal.complete(home / CHECKPOINTS) if seal.is_sealed(place)]
    except OSError as error:
        raise BadInput(f"{home / CHECKPOINTS}: {error.strerror or error}") from None
    if not kept:
        raise BadInput(f"{home}: it has no checkpoint yet; the run must have got to its first")
    return kept


def chosen_step(home: Path, kept: list[int], step: int | str | None, best: str) -> int:
    """The step that is asked for, once its checkpoint is known to be as it was sealed.

    Raises:
      BadInput: if it is not kept, or damaged.
    """
    at = kept[-1] if step is None else _best(home, kept, best) if step == "best" else step
    if isinstance(at, bool) or not isinstance(at, int) or at not in kept:
        raise BadInput(f"{home}: no checkpoint of step {at}; it keeps {', '.join(map(str, kept))}")
    place = home / CHECKPOINTS / str(at)
    try:
        reason = seal.damage(place)
    except OSError as error:
        raise BadInput(f"{place}: {error.strerror or error}") from None
    if reason:
        others = [str(other) for other in kept if other != at]
        rest = f"; it also keeps {', '.join(others)}" if others else ""
        raise BadInput(f"checkpoint {place} is damaged ({reason}){rest}")
    return at


def _best(home: Path, kept: list[int], best: str) -> int:
    name, sign = best.removesuffix(":max"), -1 if best.endswith(":max") else 1
    beside = {step: seal.read_beside(home / CHECKPOINTS / str(step)).get("metrics", {}) for step in kept}
    known = {step: sign * metrics[name] for step, metrics in beside.items() if name in metrics}
    if not known:
        raise BadInput(f"{home}: none of its checkpoints knows {name or 'a metric'}, of which --best would be the best")
    return min(known, key=lambda step: (known[step], step))


def _importable(home: Path, name: str, module: str | ModuleType | None) -> str:
    """The name of the module of an experiment, imported."""
    if isinstance(module, ModuleType):
        return module.__name__
    if module is None and not re.fullmatch(r"\w+(\.\w+)*", name):
        raise BadInput(f"{home}: its {folder.CONFIG} names {name!r}, which is no module")
    tried = [module] if module is not None else [f"experiments.{name}", name]
    for one in tried:
        if not re.fullmatch(r"\w+(\.\w+)*", one):
            continue
        try:
            found = imported(one)
        except BadInput as error:
            lacking = getattr(error.__cause__, "name", None) if isinstance(error.__cause__, ImportError) else None
            if lacking and f"{one}.".startswith(f"{lacking}."):
                continue
            raise BadInput(f"{home}: {error}") from None
        if hasattr(found, "build") and hasattr(found, "Config"):
            return one
    raise BadInput(
        f"{home}: no module {' or '.join(tried)} defines its experiment here; give it as module=, or start where it is"
    )


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is one of a field's type."""
    origin, kinds = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_of(one, kinds[0]) for one in value)
    if origin is typing.Literal:
        return value in kinds
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(hint, type) or isinstance(value, hint)
