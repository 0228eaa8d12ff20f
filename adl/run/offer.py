"""What an experiment offers once it is trained: named functions of its state, and what goes in and comes out of them.

    offers={"model": model, "predict": run.Offer(fn, run.Images(shape), run.Choice(names))}

An `Offer` is a pure function `fn(key, state, inputs)` of one run's state, with further arguments by keyword that have
defaults; of what takes `Repeats`, `fn(key, state)` is one draw. Everything else among the offers is an object by its
name. `run.load` compiles the functions, and `use` reads a person's files for them: both know the inputs by what an
offer `takes`, the outputs by what it `gives`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean

VERBS = ("predict", "sample", "embed", "generate", "act", "log_density")  # what offers are called


class Images(NamedTuple):
    """Pictures of one shape: given as uint8 in 0 ... 255, made as numbers in [0, 1]."""

    shape: Sequence[int]  # (H, W, C)

    def read(self, value: Any) -> np.ndarray:
        """`[B, H, W, C]` uint8 of such pictures, or of a single one.

        Raises:
          BadInput: for others, and for numbers that are scaled already.
        """
        return _pixels("pictures", value, self.shape)


class Films(NamedTuple):
    """Clips of one shape, given as uint8 in 0 ... 255."""

    shape: Sequence[int]  # (T, H, W, C)

    def read(self, value: Any) -> np.ndarray:
        """`[B, T, H, W, C]` uint8 of such clips, or of a single one.

        Raises:
          BadInput: for others, and for numbers that are scaled already.
        """
        return _pixels("clips", value, self.shape)


class Sounds(NamedTuple):
    """Sounds of one channel, given as int16 samples; zeros at the end are no part of them."""

    length: int  # T, samples; what is beyond is left out
    rate: int  # samples a second

    def read(self, value: Any) -> np.ndarray:
        """`[B, T, 2]` float32, samples in [-1, 1] and 1 where there are any, of arrays `[B, ...]`, several, or one.

        Raises:
          BadInput: for numbers that are no int16, or a sound without a sample.
        """
        rows = [value] if np.ndim(value[0]) == 0 else value
        found = np.zeros((len(rows), self.length, 2), np.float32)
        for place, row in zip(found, map(np.asarray, rows), strict=True):
            if row.dtype != np.int16 or row.ndim != 1 or not row.any():
                told = "silence" if row.dtype == np.int16 and row.ndim == 1 else f"{row.dtype} {list(row.shape)}"
                raise BadInput(f"sounds must be int16 [T] that are no silence, not {told}")
            row = np.trim_zeros(row, "b")[: self.length]
            place[: len(row)] = np.stack([row / 2**15, np.ones(len(row))], -1)
        return found


def _pixels(noun: str, value: Any, shape: Sequence[int]) -> np.ndarray:
    pixels = np.asarray(value)
    pixels = pixels[None] if pixels.shape == tuple(shape) else pixels
    wanted = f"uint8 [B, {', '.join(map(str, shape))}]"
    if pixels.dtype != np.uint8 or pixels.shape[1:] != tuple(shape):
        raise BadInput(f"{noun} must be {wanted}, not {pixels.dtype} {list(pixels.shape)}")
    return pixels


class Cells(NamedTuple):
    """Rows of numbers by columns, in the unit that a person has them in."""

    columns: Sequence[str] = ()  # [D] their names; of rows that are made none: they are numbered
    scaled: Callable[[np.ndarray], np.ndarray] = lambda x: x  # [B, D] to what the function wants

    def read(self, value: Any) -> np.ndarray:
        """`[B, D]` float32 of an array, a single row, or columns by name (a dict, a table of pandas).

        Raises:
          BadInput: naming columns that are not there, or values that are no finite numbers.
        """
        if isinstance(value, Mapping) or hasattr(value, "columns"):
            there = [str(name) for name in value]
            if missing := [name for name in self.columns if name not in there]:
                near = did_you_mean(missing[0], there)
                raise BadInput(f"no column {missing[0]!r}: wanted are {', '.join(self.columns)}{near}")
            value = np.stack([np.asarray(value[name]) for name in self.columns], -1)
        try:
            x = np.asarray(value, float)
        except (TypeError, ValueError) as error:
            raise BadInput(f"rows must be numbers: {error}") from None
        x = x[None] if x.ndim == 1 else x
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise BadInput(f"rows must be [B, {len(self.columns)}] ({', '.join(self.columns)}), not {list(x.shape)}")
        if not np.isfinite(x).all():
            row, column = np.argwhere(~np.isfinite(x))[0]
            raise BadInput(f"row {row}: {self.columns[column]} is {x[row, column]}; it must be a finite number")
        return np.asarray(self.scaled(x), np.float32)


class Choice(NamedTuple):
    """Classes by name: given as names or numbers; made as log-odds `[B, K]`, of which a person gets probabilities."""

    names: Sequence[str] = ()  # [K]; of those that are made none: they are numbered

    def read(self, value: Any) -> np.ndarray:
        """`[B]` int32 of names or numbers 0 ... K - 1, of several or one.

        Raises:
          BadInput: for a class that there is not.
        """
        several = [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)
        return np.array([self._number(one) for one in several], np.int32)

    def _number(self, one: Any) -> int:
        names = [str(name) for name in self.names]
        if isinstance(one, str) and one in names:
            return names.index(one)
        if isinstance(one, int | np.integer) and not isinstance(one, bool) and 0 <= one < len(names):
            return int(one)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise BadInput(f"no class {one!r}: there are {shown}{did_you_mean(str(one), names)}")


class Boxes(NamedTuple):
    """What is where in a picture: made as rows `[B, D, 6]` of class, score, ymin, xmin, ymax and xmax, relative to it,
    the surest first; a person gets those of `sure` or more.
    """

    names: Sequence[str] = ()  # [K]; of those that are made none: they are numbered
    sure: float = 0.3  # in [0, 1]

    def rows(self, titles: Sequence[str], found: np.ndarray) -> tuple[list[str], list[list[str]]]:
        """Header and rows of a table: as many of each of B pictures as it has boxes, of none one that says so."""
        table = []
        for title, boxes in zip(titles, found, strict=True):
            kept = [box for box in boxes if box[1] >= self.sure]
            table += [[title, "none", *[""] * 5]] if not kept else []
            for label, *numbers in kept:
                name = self.names[int(label)] if len(self.names) else str(int(label))
                table.append([title, str(name), *(f"{number:.4f}" for number in numbers)])
        return ["picture", "class", "score", "ymin", "xmin", "ymax", "xmax"], table


class Maps(NamedTuple):
    """An answer at each pixel of a picture: log-odds of classes `[B, H, W, K]`, of which a person gets probabilities;
    or, where there are no classes, numbers `[B, H, W]`.
    """

    names: Sequence[str] = ()  # [K], of the classes
    unit: str = ""  # of the numbers: "m"


class Text(NamedTuple):
    """Text in tokens: given as a prompt, made as what follows it."""

    encode: Callable[[str], np.ndarray]  # text -> [N] int32
    decode: Callable[[Sequence[int]], str]  # and back
    start: int | None = None  # the token that stands before a text, where a prompt may be empty
    alphabet: str | None = None  # the only characters there are; None: any

    def read(self, value: Any) -> np.ndarray:
        """`[1, N]` int32 of one prompt.

        Raises:
          BadInput: for what is no text, has other characters, or is empty where it may not be.
        """
        if not isinstance(value, str):
            raise BadInput(f"a prompt must be text, not {type(value).__name__}")
        if self.alphabet is not None and (odd := next((c for c in value if c not in self.alphabet), None)):
            raise BadInput(f"prompt {value!r}: {odd!r} is none of the characters {self.alphabet}")
        tokens = np.asarray(self.encode(value) if value else [], np.int32)
        if self.start is not None:
            tokens = np.concatenate([np.array([self.start], np.int32), tokens])
        if not len(tokens):
            raise BadInput("the prompt is empty: it must have a character or more")
        return tokens[None]


class Repeats(NamedTuple):
    """So many draws, each with a key of its own."""

    def read(self, value: Any) -> int:
        """Their number.

        Raises:
          BadInput: for what is no number from 1 on.
        """
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise BadInput(f"{value!r} draws: it must be an integer >= 1")
        return int(value)


class Offer(NamedTuple):
    """A function of a trained state."""

    fn: Callable[..., Any]  # (key, state, inputs) -> an array [B, ...]; of Repeats (key, state) -> one draw
    takes: Images | Films | Sounds | Cells | Choice | Text | Repeats
    gives: Images | Cells | Choice | Text | Maps | Boxes
    together: bool = False  # whether rows are one sequence, in this order

    @classmethod
    def of_table(cls, fn: Callable[..., Any], rows: Any) -> "Offer":
        """That of a function of standardised rows, for a table in its own unit.

        Args:
          fn: `(key, state, x [B, D])` to log-odds `[B, K]`, or to a standardised number `[B]`.
          rows: that were learned, of `data.tables`: with `given`, and `classes` or `told` and `target`.
        """
        if hasattr(rows, "classes"):
            return cls(fn, Cells(*rows.given), Choice(rows.classes))
        return cls(lambda *of: rows.told(fn(*of)), Cells(*rows.given), Cells([rows.target]))

    @classmethod
    def of_pictures(cls, fn: Callable[..., Any], split: Any) -> "Offer":
        """That of a function `(key, state, pictures [B, ...])` to log-odds `[B, K]` of a `data.Split`'s classes."""
        return cls(fn, Images(split.example_shape), Choice(split.class_names))

    @classmethod
    def of_classes(cls, fn: Callable[..., Any], split: Any) -> "Offer":
        """That of a function `(key, state, label [B])` to pictures `[B, ...]` in [0, 1], as those of a `data.Split`."""
        return cls(fn, Choice(split.class_names), Images(split.example_shape))

    @classmethod
    def of_text(cls, fn: Callable[..., Any], tokens: Any) -> "Offer":
        """That of a function `(key, state, prompt [1, T])` to tokens `[1, N]` of a tokeniser of `data.tokens`."""
        text = Text(tokens.encode, tokens.decode, tokens.start)
        return cls(fn, text, text)
