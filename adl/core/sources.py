"""What a program has read: noted where data are read, asked for where a run is described and resumed."""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple


class Noted(NamedTuple):
    """A data set that was read."""

    name: str  # as it was asked for
    files: Mapping[str, Any]  # name -> what it must be again, plain: [size, digest]
    remarks: tuple[str, ...] = ()  # what a person should know of it, a line each


_LISTENING: ContextVar[list[Noted] | None] = ContextVar("listening", default=None)


@contextlib.contextmanager
def noting() -> Iterator[list[Noted]]:
    """A list that gains all that is read within the block, each data set once."""
    found: list[Noted] = []
    token = _LISTENING.set(found)
    try:
        yield found
    finally:
        _LISTENING.reset(token)


def note(read: Noted) -> None:
    """Tells the block that listens, if one does, what was read."""
    found = _LISTENING.get()
    if found is not None and read not in found:
        found.append(read)
