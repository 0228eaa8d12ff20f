"""The command line as a configuration: every word is understood, or refused by the name of its flag."""

import ast
import contextlib
import dataclasses
import functools
import inspect
import io
import re
import textwrap
import tokenize
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import tyro

from adl.core import BadInput, did_you_mean
from adl.run import ranges, screen, sweep
from adl.run.config import Study, figure_formats, mesh_axes


def parse(config_type: type[Study], argv: Sequence[str], *, prog: str, description: str) -> Study:
    """Configuration from command-line words.

    Raises:
      BadInput: for words that no field has, and values that a field cannot have.
    """
    hints, limits = typing.get_type_hints(config_type), ranges.ranges(config_type)
    for name, values in _given(argv):
        for value in values if name in hints else ():
            ranges.understood(name, value, hints[name], limits)
    read = words(_told(config_type), argv, prog=prog, description=description)
    config = config_type(**{field.name: getattr(read, field.name) for field in dataclasses.fields(config_type)})
    check(config)
    return config


def words(kind: Any, argv: Sequence[str], *, prog: str, description: str) -> Any:
    """What command-line words say of a type, each flag at most once.

    Raises:
      BadInput: in one line; `SystemExit` of `--help` goes on.
    """
    given = [name for name, _ in _given(argv)]
    for name in given:
        if given.count(name) > 1:
            again = "; all its words follow one --sweep" if name == "sweep" else ""
            raise BadInput(f"--{name}: it is given twice, and only one could count{again}")
    box, style = io.StringIO(), {"use_underscores": True, "config": (tyro.conf.FlagCreatePairsOff,)}
    try:
        with contextlib.redirect_stderr(box), screen.piped():
            return tyro.cli(kind, args=list(argv), prog=prog, description=description, **style)
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        told = _in_one_line(box.getvalue())
        if told.startswith("Unrecognized") and "Perhaps" not in told:  # of initials, such as lr, tyro knows nothing
            fields = getattr(kind, "__dataclass_fields__", ())
            told += next(filter(None, (did_you_mean(name, tuple(fields)) for name in given if name not in fields)), "")
        raise BadInput(told) from None


def _in_one_line(box: str) -> str:
    """What tyro says in a frame of several lines, without its reference to the help."""
    lines = [line.strip("│╰╯ ") for line in box.strip().splitlines()[1:]]  # the first is the frame's title
    # A terminal without Unicode gets a frame of hyphens.
    parts = re.split("─+|-{4,}", " ".join(lines).partition("For full helptext")[0])
    return re.sub(r" in python \S.*--help$", "", "; ".join(filter(None, map(str.strip, parts))))


def check(config: Study) -> None:
    """Every field within what its annotation says, at every point of the sweep, and every flag of use.

    Raises:
      BadInput: naming the field, its value and what it must be.
    """
    ranges.require(config)
    if config.seed + config.num_seeds - 1 > ranges.LARGEST:
        seeds = f"--seed {config.seed} --num_seeds {config.num_seeds}"
        raise BadInput(f"{seeds}: the last seed must be at most {ranges.LARGEST}")
    if config.dataset and not type(config)().dataset:
        raise BadInput(f"--dataset {config.dataset}: this experiment makes its own data, and has none to choose")
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if (value == "" and field.default != "" and field.name != "best") or (isinstance(value, tuple) and "" in value):
            raise BadInput(f"--{field.name} '': it must not be empty; leave it out for {field.default or 'none'}")
    if config.best and not re.fullmatch(r"[^:]+(:max)?", config.best):
        raise BadInput(f"--best {config.best}: it must be METRIC, METRIC:max, or empty")
    if config.layout != "replicated" and config.lift in ("jit", "pmap"):
        raise BadInput(f"--layout {config.layout}: only --lift shard has a layout, not --lift {config.lift}")
    if config.init_prefix and not config.init_from:
        raise BadInput(f"--init_prefix {' '.join(config.init_prefix)}: of what? --init_from names it")
    mesh_axes(config)
    figure_formats(config)
    for point in sweep.points(config):
        check(dataclasses.replace(config, sweep=(), **point))


@functools.cache
def explained(config_type: type) -> dict[str, str]:
    """What the comment of each field of a dataclass says: its own, or of the next class that has the field and one."""
    found: dict[str, str] = {}
    for parent in reversed(config_type.__mro__):
        if dataclasses.is_dataclass(parent):
            found |= _comments(parent)
    return found


def _comments(config_type: type) -> dict[str, str]:
    """The comments of the fields that a class itself has: on the lines of the field, and those right below it."""
    try:
        source = textwrap.dedent(inspect.getsource(config_type))
    except (OSError, TypeError):  # made by a person at a prompt
        return {}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = {token.start[0]: (token.string, token.line) for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            end = node.end_lineno
            while end + 1 in words and words[end + 1][1].lstrip().startswith("#"):
                end += 1
            lines = [words[line][0].lstrip("# ") for line in range(node.lineno, end + 1) if line in words]
            found |= {node.target.id: " ".join(lines)} if lines else {}
    return found


@functools.cache
def _told(config_type: type[Study]) -> type:
    """The same fields, with their comments as the help's text."""
    hints, said = typing.get_type_hints(config_type, include_extras=True), explained(config_type)
    kinds = typing.get_type_hints(config_type)
    fields = []
    for field in dataclasses.fields(config_type):
        told = tyro.conf.arg(help=said.get(field.name, ""))
        for note in getattr(hints[field.name], "__metadata__", ()):
            told = dataclasses.replace(note, help=said.get(field.name, "")) if isinstance(note, type(told)) else told
        fields.append((field.name, Annotated[kinds[field.name], told], dataclasses.field(default=field.default)))
    return dataclasses.make_dataclass(config_type.__name__, fields, frozen=True)


def _given(argv: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(name, values) of each flag, in the order of the command line."""
    name, values = "", []
    for word in [*argv, "--"]:
        if word.startswith("--"):
            if name:
                yield name, values
            name, equals, value = word[2:].partition("=")
            name, values = name.replace("-", "_"), [value] if equals else []
        else:
            values.append(word)
