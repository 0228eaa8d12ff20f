"""What a field of a configuration may be: its range, beside its annotation, and how it fits the other fields.

    width: Annotated[run.Count, run.multiple_of(8)] = 32  # channels
    n_critic: Annotated[run.Count, run.divisor_of("batch_size")] = 1  # updates

`require` checks all of it, for every experiment; the help shows it.
"""

import contextlib
import math
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import tyro

from adl.core import BadInput, did_you_mean

LARGEST = 2**31 - 1  # of integers: steps, sizes and seeds are int32 on the devices
HUGE = 1e18  # of other numbers, and their least magnitude is 1 / HUGE: float32, in which they live, has their squares


class Range(NamedTuple):
    """Closed interval of the values that a field may take; an open end excludes its bound."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        return self.refusal(value) == ""

    def __str__(self) -> str:
        low, high = "(" if self.open_low else "[", ")" if self.open_high else "]"
        if self.high == math.inf:
            return "" if self.low == -math.inf else f"{'>' if self.open_low else '>='} {self.low:g}"
        return f"in {low}{self.low:g}, {self.high:g}{high}"

    def refusal(self, value: float) -> str:
        """What a value that is not in the interval, or not to be computed with, must be; nothing for one that is."""
        wanted = str(self) or "a finite number"
        if isinstance(value, int):
            inside = self.low <= value <= self.high
            return "" if inside and abs(value) <= LARGEST else wanted if not inside else f"at most {LARGEST}"
        if not math.isfinite(value):
            return f"{self} and finite" if str(self) else wanted
        single = float(np.float32(np.clip(value, -HUGE, HUGE)))  # as it is computed with: 1 - 1e-9 is 1
        above = single > self.low if self.open_low else single >= self.low
        below = single < self.high if self.open_high else single <= self.high
        if not (above and below):
            return wanted
        return "" if value == 0 or 1 / HUGE <= abs(value) <= HUGE else f"{wanted}, and of magnitude 1e-18 to 1e18"


class Relation(NamedTuple):
    """What a field must be to a number, or to another field by its name."""

    text: str  # "a multiple of"
    holds: Callable[[float, float], bool]  # (value, the other)
    of: int | str


def multiple_of(of: int | str) -> Relation:
    """A field that another, or a number, divides; 0 is a multiple of all."""
    return Relation("a multiple of", lambda value, other: value % other == 0, of)


def divisor_of(of: str) -> Relation:
    """A field that divides another."""
    return Relation("a divisor of", lambda value, other: value != 0 and other % value == 0, of)


def at_most(of: int | str) -> Relation:
    """A field that another bounds from above."""
    return Relation("at most", lambda value, other: value <= other, of)


def below(of: str) -> Relation:
    """A field that another exceeds."""
    return Relation("below", lambda value, other: value < other, of)


class Distinct(NamedTuple):
    """Several settings, each of which is tried once."""


class Shared(NamedTuple):
    """A number of things that split evenly over the devices, as a batch's examples do."""


def _number(kind: type, wanted: Range) -> Any:
    """The type of a number within a range; the range is checked, and shown in the help."""
    return Annotated[kind, wanted, tyro.conf.arg(metavar=f"{kind.__name__.upper()} {wanted}".rstrip())]


Count = _number(int, Range(low=1))
Natural = _number(int, Range(low=0))
Several = _number(int, Range(low=2))  # of which one alone would say nothing
Points = _number(int, Range(low=1, high=10**7))  # that are drawn before the first step, on the host
Positive = _number(float, Range(low=0, open_low=True))
NonNegative = _number(float, Range(low=0))
Number = _number(float, Range())
Logarithm = _number(float, Range(low=-40, high=40))  # natural, of what float32 has with its square
Fraction = _number(float, Range(low=0, high=1))
Share = _number(float, Range(low=0, high=1, open_low=True, open_high=True))  # of a whole: some of it, and not all
Rate = _number(float, Range(low=0, high=1, open_high=True))  # a decay, a dropout: 1 would never move, or drop all
Eights = Annotated[Count, multiple_of(8)]  # channels, in groups that are normalised
Split = Annotated[Count, Shared()]  # over the devices
Widths = Annotated[tuple[int, ...], Range(low=1), tyro.conf.arg(metavar="INT >= 1 ...")]  # of layers, each
Folds = Annotated[tuple[int, ...], Range(low=0, high=9999), Distinct(), tyro.conf.arg(metavar="INT >= 0 ...")]  # each
Settings = Annotated[Widths, Distinct()]  # each tried once
Positives = Annotated[
    tuple[float, ...], Range(low=0, open_low=True), Distinct(), tyro.conf.arg(metavar="FLOAT > 0 ...")
]  # each
Shares = Annotated[
    tuple[float, ...],
    Range(low=0, high=1, open_low=True, open_high=True),
    Distinct(),
    tyro.conf.arg(metavar="0 < FLOAT < 1 ..."),
]  # of a whole, each


def require(config: Any) -> None:
    """Every field within what its annotation says; of several names that may be chosen, each once.

    Args:
      config: a dataclass.
    Raises:
      BadInput: naming the field, its value and what it must be.
    """
    for name, note in notes(type(config)):
        value = getattr(config, name)
        several = value if isinstance(value, tuple) else (value,)
        if isinstance(note, Range):
            for wanted in filter(None, map(note.refusal, several)):
                raise BadInput(f"--{name} {short(value)}: it must be {wanted}{', each' * isinstance(value, tuple)}")
        if isinstance(note, Relation):
            other = getattr(config, note.of) if isinstance(note.of, str) else note.of
            if not note.holds(value, other):
                of = f"--{note.of} {other}" if isinstance(note.of, str) else other
                raise BadInput(f"--{name} {value}: it must be {note.text} {of}")
        if isinstance(note, Distinct) and (again := [one for i, one in enumerate(value) if one in value[:i]]):
            raise BadInput(f"--{name} {short(value)}: {again[0]} stands there twice")


def notes(config_type: type) -> Iterator[tuple[str, Any]]:
    """(field, note) of all that the annotations of a dataclass say: ranges before relations."""
    hints = typing.get_type_hints(config_type, include_extras=True)
    found = [(name, note) for name, hint in hints.items() for note in getattr(hint, "__metadata__", ())]
    found += [(name, Range()) for name, hint in hints.items() if hint in (int, float)]
    found += [(name, Distinct()) for name, hint in hints.items() if _is_choice(hint)]
    yield from sorted(found, key=lambda pair: isinstance(pair[1], Relation))


def _is_choice(hint: Any) -> bool:
    """Whether a field is several of the names that there are."""
    return typing.get_origin(hint) is tuple and typing.get_origin(typing.get_args(hint)[0]) is Literal


def ranges(config_type: type) -> dict[str, Range]:
    """The `Range` of each field that has one."""
    return {name: note for name, note in notes(config_type) if isinstance(note, Range)}


def shared(config_type: type) -> list[str]:
    """The fields that split over the devices."""
    return [name for name, note in notes(config_type) if isinstance(note, Shared)]


def understood(name: str, word: str, hint: Any, limits: Mapping[str, Range]) -> Any:
    """The value that a word is for a field, or one of several that the field has.

    Args:
      name: of the field.
      word: of a person.
      hint: the field's type.
      limits: `ranges` of the configuration.
    Raises:
      BadInput: naming the field, if it is none.
    """
    kind = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
    if kind in (int, float):
        value = number(kind, word)
        if value is None:
            wanted = f"{'an integer' if kind is int else 'a number'} {limits.get(name, '')}".rstrip()
            raise BadInput(f"--{name} {short(word) or repr(word)}: it must be {wanted}")
        if wanted := limits[name].refusal(value) if name in limits else "":
            raise BadInput(f"--{name} {short(word)}: it must be {wanted}{', each' * (kind is not hint)}")
        return value
    if typing.get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in typing.get_args(kind)}
        if word not in choices:
            wanted = f"it must be one of {', '.join(choices)}{did_you_mean(word, [*choices])}"
            raise BadInput(f"--{name} {word or repr(word)}: {wanted}")
        return choices[word]
    return word


def number(kind: type, word: str) -> float | None:
    """The number that a word writes in ASCII; None where it writes none."""
    with contextlib.suppress(ValueError):
        return kind(word) if word.isascii() and "_" not in word else None
    return None


def short(value: Any) -> str:
    """A value as a person wrote it, of which not more than fits a line."""
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
