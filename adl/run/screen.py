"""What a person sees meanwhile: rows that fit a terminal, and what a long silent phase is about."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

console = Console(stderr=True, markup=False, emoji=False, highlight=False)  # what is printed stays as it is
WIDTH = 100  # of rows where there is no terminal


def say(*lines: str) -> None:
    """Prints lines as they are."""
    for line in lines:
        console.print(line, soft_wrap=True)


@contextlib.contextmanager
def piped() -> Iterator[None]:
    """Lets a reader of what is printed leave early, as `head` does: no page on a broken pipe."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
        sys.exit(0)


def row(title: str, metrics: Mapping[str, np.ndarray], settings: Sequence[str] = (), *, width: int = 0) -> list[str]:
    """Metrics as lines: as many a line as fit, one under the other; of a sweep a line a metric, a column a value.

    Args:
      title: "step 100".
      metrics: of one run `[]`, of several seeds `[S]`, whose mean and standard error are shown; of a sweep
        `[V, ...]`.
      settings: of a sweep: what the V values are. Each has a line if all metrics fit beside it, else a column.
      width: of a line, in characters; 0: the terminal's.
    """
    width = width or (console.width if console.is_terminal else WIDTH)
    if settings:
        shown = {name: [mean_and_error(v) for v in value] for name, value in metrics.items()}
        values = zip(*shown.values(), strict=True)
        by_value = _table(title, dict(zip(settings, values, strict=True)), list(shown), width)
        return by_value if len(by_value) == len(settings) + 1 else _table(title, shown, settings, width)
    cells = [(name, mean_and_error(value)) for name, value in metrics.items()]
    line = "  ".join([title, *(f"{name} {value}" for name, value in cells)])
    if len(line) <= width:
        return [line]
    names, values = (max(len(cell[i]) for cell in cells) for i in range(2))
    indent = " " * (len(title) + 2)
    a_line = max(1, (width - len(indent) + 2) // (names + values + 3))
    padded = [f"{name:<{names}} {value:<{values}}" for name, value in cells]
    lines = ["  ".join(padded[i : i + a_line]).rstrip() for i in range(0, len(cells), a_line)]
    return [(indent if i else f"{title}  ") + line for i, line in enumerate(lines)]


def _table(title: str, rows: Mapping[str, Sequence[str]], settings: Sequence[str], width: int) -> list[str]:
    """A line a row, a column a setting, in as many blocks as the width wants."""
    names = max(map(len, [title, *rows]))
    columns = [max(len(text) for text in column) for column in zip(settings, *rows.values(), strict=True)]
    lines, first = [], 0
    while first < len(settings):
        last = first + 1
        while last < len(settings) and names + sum(columns[first : last + 1]) + 2 * (last + 1 - first) <= width:
            last += 1
        for name, values in {title: settings, **rows}.items():
            cells = [f"  {text:>{size}}" for text, size in zip(values[first:last], columns[first:last], strict=True)]
            lines.append(f"{name:<{names}}{''.join(cells)}")
        first = last
    return lines


def mean_and_error(value: Any) -> str:
    """A number; of several the mean, and its standard error."""
    values = np.ravel(np.array(value, float))
    error = f" ± {values.std(ddof=1) / np.sqrt(values.size):.2g}" if values.size > 1 else ""
    return f"{values.mean():.4g}{error}"


def phases(verb: str, names: Sequence[str]) -> Iterator[str]:
    """The names in turn, each shown while the caller is at it: on a terminal by a bar, elsewhere by a line."""
    if not console.is_terminal:
        for index, name in enumerate(names):
            say(f"{verb} {name} ({index + 1} of {len(names)})")
            yield name
        return
    bar = Progress(
        TextColumn(f"[bold]{verb}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
    )
    with bar:
        task = bar.add_task(verb, total=len(names), note="")
        for index, name in enumerate(names):
            bar.update(task, completed=index, note=name)
            yield name
        bar.update(task, completed=len(names), note="")
