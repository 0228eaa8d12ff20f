"""Sweeps: the values of fields that a person wants compared, in one program where that can be, else one by one."""

import dataclasses
import itertools
import typing
from typing import Any, Literal

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.run import ranges
from adl.run.config import FREE, Study

# Of the runner's own fields those that decide numbers, but for what several runs are.
NEVER = {*FREE, "sweep", "num_seeds", "leave_out"} - {"num_steps"}


def points(config: Study) -> list[dict[str, Any]]:
    """The points of the sweep, one `{field: value}` for each run, what runs apart first; empty without a sweep.

    Raises:
      BadInput: for a field that cannot be swept, twice the same, or a value that is none of the field's.
    """
    hints, columns = _fields(config), {}
    for text in config.sweep:
        name, equals, values = text.partition("=")
        if name not in hints:
            why = f"{name or repr(text)} is not one of {', '.join(hints)}{did_you_mean(name, [*hints])}"
            raise BadInput(f"--sweep {text}: {why}")
        if name in columns:
            raise BadInput(f"--sweep {text}: {name} is swept twice; write all its values after one {name}=")
        columns[name] = _values(config, name, values.split(",") if equals else [""], hints[name])
    apart = {name: values for name, values in columns.items() if hints[name] is not float}
    columns = apart | columns
    return [dict(zip(columns, point, strict=True)) for point in itertools.product(*columns.values())] if columns else []


def apart(config: Study) -> list[tuple[dict[str, Any], Study]]:
    """The runs of which a sweep consists, each with the values that set it apart; one of all where it is one program.

    Integers and words decide shapes and programs, so their values run one after another.
    """
    hints = _fields(config)
    words = [text for text in config.sweep if hints[text.partition("=")[0]] is not float]
    rest = tuple(text for text in config.sweep if text not in words)
    chosen = points(dataclasses.replace(config, sweep=tuple(words))) or [{}]
    return [(point, dataclasses.replace(config, sweep=rest, **point)) for point in chosen]


def grid(config: Study) -> list[dict[str, float]]:
    """The points of a sweep that is one program; empty without a sweep."""
    hints = _fields(config)
    return [{name: value for name, value in point.items() if hints[name] is float} for point in points(config)]


def swept_values(config: Study) -> dict[str, np.ndarray] | None:
    """The grid as columns `[V]`; None without a sweep."""
    chosen = grid(config)
    return {name: np.array([p[name] for p in chosen], np.float32) for name in chosen[0]} if chosen else None


def spelled(point: dict[str, Any]) -> str:
    """`name=value, name=value` of a point."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in point.items()
    )


def _fields(config: Study) -> dict[str, Any]:
    """The fields that can be swept, numbers of one program first, with their types."""
    hints = {
        name: hint
        for name, hint in typing.get_type_hints(type(config)).items()
        if name not in NEVER and (hint in (int, float, str) or typing.get_origin(hint) is Literal)
    }
    return dict(sorted(hints.items(), key=lambda item: item[1] is not float))


def _values(config: Study, name: str, words: list[str], hint: Any) -> list[Any]:
    """The values of a field, each once."""
    text, limits = f"--sweep {name}={','.join(words)}", ranges.ranges(type(config))
    if words == [""]:
        raise BadInput(f"{text}: it must be {name}=value,value,...")
    try:
        values = [ranges.understood(name, word, hint, limits) for word in words]
    except BadInput as error:
        raise BadInput(f"{text}: {error}") from None
    if len({np.float32(value) if hint is float else value for value in values}) < len(values):
        raise BadInput(f"{text}: a value stands there twice")
    return values
