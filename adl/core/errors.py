"""What a person is told who asked for what cannot be done: one line, that says what would be right."""

import difflib
import importlib
from collections.abc import Sequence
from types import ModuleType


class BadInput(ValueError):
    """Something that a person asked for cannot be done; the message is one line that says what would be right."""


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """`; did you mean X?`, or nothing where no word is close, or has the word's letters as initials: lr."""
    initials = {"".join(part[:1] for part in known.split("_")): known for known in words if "_" in known}
    close = difflib.get_close_matches(word, words, n=1)
    meant = close[0] if close else initials.get(word, "")
    return f"; did you mean {meant}?" if meant else ""


def of_extra(module: str, extra: str, what: str) -> ModuleType:
    """A module that an extra brings, imported where it is called.

    Args:
      module: by its full name.
      extra: of `adl`, as in `pip install 'adl[extra]'`.
      what: says what needs it: "the search by Gumbel is mctx's".
    Raises:
      BadInput: with that remedy, where it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise BadInput(f"{what}: pip install 'adl[{extra}]'") from None


def first_line(error: BaseException) -> str:
    """What an error says in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
