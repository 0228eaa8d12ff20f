"""Asks a trained run about files of a person's: pictures in, labels out; a prompt in, text out; a class in, pictures.

What goes in and comes out is what the run's offer says (`adl.run.offer`). A table goes to the screen, or to `--to` as
CSV; pictures are written as PNG into the folder `--to`. Nothing is overwritten unasked.
"""

import csv
import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from adl.core import BadInput, did_you_mean, local_path
from adl.run import folder as files
from adl.run import screen
from adl.run.offer import Classes, Draws, Offer, Pictures, Rows, Text
from adl.run.trained import Trained, restored

AT_ONCE = 256  # rows or pictures in one call
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")  # of pictures, among files of a folder


@dataclass(frozen=True)
class Which:
    """Of which run and step."""

    workdir: Annotated[str, tyro.conf.Positional]  # folder of a run, or one within which a single run lies
    step: str = ""  # of a kept checkpoint, or best; empty: the newest
    seed: str = ""  # of several runs that of this seed
    setting: str = ""  # of a sweep that of these values: learning_rate=0.001
    module: str = ""  # that defines the experiment, where the run does not name an importable one
    data_dir: str = ""  # of TFDS, where the run's own is not here

    def load(self) -> Trained:
        """The run.

        Raises:
          BadInput: as `restored`, or for a step or a seed that is no number.
        """
        step = self.step if self.step == "best" else _integer("--step", self.step)
        one = {"seed": _integer("--seed", self.seed), "setting": self.setting or None}
        return restored(self.workdir, step=step, module=self.module or None, data_dir=self.data_dir or None, **one)


@dataclass(frozen=True)
class Exporting(Which):
    """Writes what a run has learned as safetensors, with a card that says what it is."""

    to: str = ""  # folder; empty: export/ in the run's
    overwrite: bool = False  # files of an export before


@dataclass(frozen=True)
class Using(Which):
    """Asks a trained run: pictures in, labels out; a prompt in, text out; a class in, pictures out."""

    inputs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # pictures, a CSV, a prompt, classes, a number
    what: str = ""  # of what the run offers: predict, sample, embed, generate, act; empty: its first
    to: str = ""  # CSV or text file, or of pictures the folder; empty: the screen
    overwrite: bool = False  # what is there
    resize: bool = False  # pictures of another size or number of channels than the model's
    num: int = 0  # pictures of each class, or tokens of a text; 0: one picture, or what the experiment says
    key: int = 0  # of the luck: the same number gives the same answer


def use(asked: Using) -> None:
    """Answers on the screen or in files.

    Raises:
      BadInput: in one line; nothing is written then.
    """
    if asked.num < 0 or asked.key < 0:
        raise BadInput(f"--{'num' if asked.num < 0 else 'key'} {min(asked.num, asked.key)}: it must be >= 0")
    trained = asked.load()
    name, offer = _offer(trained, asked.what)
    if trained.program.num_axes:
        raise BadInput(f"{trained.folder}: it has several runs; --seed N, and of a sweep --setting, say which answers")
    function = getattr(trained, name)
    if isinstance(offer.gives, Pictures) and not asked.to:
        raise BadInput("--to FOLDER: pictures are written there; name one")
    titles, given = _given(offer, asked)
    more = {"num_tokens": asked.num} if asked.num and isinstance(offer.takes, Text) else {}
    if asked.num and not isinstance(offer.takes, Classes | Text):
        raise BadInput(f"--num {asked.num}: it is of classes and texts; {name} takes {_words(offer.takes)}")
    target = local_path(asked.to, "--to") if asked.to else None
    if target and not isinstance(offer.gives, Pictures):
        _require_free(target, asked.overwrite)
    if isinstance(offer.gives, Text):
        _text(asked.inputs[0] + function(given, key=asked.key, **more), target)
        return
    found = np.asarray(_in_parts(lambda part: function(part, key=asked.key), given))
    if not np.isfinite(found).all():
        raise BadInput(f"{trained.folder}: at step {trained.step} {name} gives numbers that are not finite")
    if isinstance(offer.gives, Pictures):
        _pictures(target, titles, found, asked.overwrite)
    else:
        _table(target, *_columns(offer, titles, found))


def _integer(flag: str, word: str) -> int | None:
    if word and not re.fullmatch(r"[0-9]{1,10}", word):
        raise BadInput(f"{flag} {word}: it must be an integer >= 0" + " or best" * (flag == "--step"))
    return int(word) if word else None


def _offer(trained: Trained, what: str) -> tuple[str, Offer]:
    offers = trained.offers
    if not offers:
        raise BadInput(f"{trained.folder}: {trained.name} offers nothing to be used")
    if what and what not in offers:
        raise BadInput(f"--what {what}: {trained.name} offers {', '.join(offers)}{did_you_mean(what, [*offers])}")
    name = what or next(iter(offers))
    return name, offers[name]


def _words(takes: Any) -> str:
    """What an offer takes, in words."""
    if isinstance(takes, Pictures):
        return f"pictures of {' x '.join(map(str, takes.shape[:2]))}: files, or folders of them"
    if isinstance(takes, Rows):
        return f"one CSV file with the columns {', '.join(takes.columns)}"
    if isinstance(takes, Classes):
        return f"classes: {', '.join(map(str, list(takes.names)[:20]))}"
    return "a prompt in quotes" if isinstance(takes, Text) else "a number of draws"


def _given(offer: Offer, asked: Using) -> tuple[list[str], Any]:
    """What the answers are called, and what the function is given."""
    takes, inputs = offer.takes, asked.inputs
    is_one = isinstance(takes, Rows | Text | Draws)
    if not inputs or (is_one and len(inputs) > 1):
        raise BadInput(f"{' '.join(inputs) or 'nothing to answer'}: wanted is {_words(takes)}")
    if asked.resize and not isinstance(takes, Pictures):
        raise BadInput(f"--resize: there are no pictures to resize; wanted is {_words(takes)}")
    if isinstance(takes, Pictures):
        paths = [path for word in inputs for path in _files(local_path(word, "a picture"))]
        return [str(path) for path in paths], np.stack([_picture(path, takes.shape, asked.resize) for path in paths])
    if isinstance(takes, Rows):
        table = _read_table(local_path(inputs[0], "a table"), takes.columns)
        return [str(i + 1) for i in range(len(table))], table
    if isinstance(takes, Classes):
        label = np.repeat(takes.read([_class(word, takes) for word in inputs]), max(asked.num, 1))
        return [str(takes.names[one]) for one in label], label
    if isinstance(takes, Text):
        return [], inputs[0]
    number = _integer("the number of draws", inputs[0])
    takes.read(number)
    return [f"{i}" for i in range(number)], number


def _class(word: str, takes: Classes) -> str | int:
    """A class by its name, or where no name is so by its number."""
    return int(word) if word not in map(str, takes.names) and re.fullmatch(r"[0-9]{1,9}", word) else word


def _in_parts(function: Callable[[Any], Any], given: Any) -> np.ndarray:
    """The answers to many rows, part by part: of one shape, so that one program serves all."""
    if isinstance(given, int) or len(given) <= AT_ONCE:
        return function(given)
    found = []
    for first in range(0, len(given), AT_ONCE):
        part = given[first : first + AT_ONCE]
        padded = np.concatenate([part, np.repeat(part[:1], AT_ONCE - len(part), 0)])
        found.append(np.asarray(function(padded))[: len(part)])
    return np.concatenate(found)


def _files(path: Path) -> list[Path]:
    """A picture, or those of a folder and the folders in it."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such file or folder")
    every = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    found = [file for file in every if file.suffix.lower() in SUFFIXES]
    if not found:
        raise BadInput(f"{path}: it has no pictures ({', '.join(SUFFIXES)})")
    if len(found) < len(every):
        screen.say(f"{path}: {len(every) - len(found)} files are no pictures, and left out")
    return found


def _picture(path: Path, shape: Sequence[int], resize: bool) -> np.ndarray:
    """`[H, W, C]` uint8 of a file, of the shape that is wanted."""
    import cv2

    try:
        content = np.fromfile(path, np.uint8)
        found = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    except (OSError, cv2.error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: it cannot be read: {reason}") from None
    if found is None:
        raise BadInput(f"{path}: it is no picture, or damaged")
    if found.dtype != np.uint8:
        raise BadInput(f"{path}: its pixels are {found.dtype}; pictures of 8 bits a channel are wanted")
    pixels = found[..., None] if found.ndim == 2 else found
    if pixels.shape[2] not in (1, 3):
        raise BadInput(f"{path}: it has {pixels.shape[2]} channels (transparency?); grey or colour is wanted")
    pixels = pixels[..., ::-1]  # OpenCV's are blue, green, red
    if pixels.shape == tuple(shape):
        return np.ascontiguousarray(pixels)
    height, width, channels = shape
    if not resize:
        raise BadInput(
            f"{path}: it is {' x '.join(map(str, pixels.shape))} (height, width, channels), and the model's pictures "
            f"are {' x '.join(map(str, shape))}; --resize makes it so"
        )
    if channels == 1 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[..., None]
    if channels == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, 2)
    resized = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_AREA)
    return resized.reshape(shape)


def _read_table(path: Path, columns: Sequence[str]) -> np.ndarray:
    """`[B, D]` of the columns of a CSV file with a header; others are named and left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadInput(f"{path}: it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(rows) < 2:
        raise BadInput(f"{path}: it has no rows below a header of columns")
    head = [name.strip() for name in rows[0]]
    for name in columns:
        if head.count(name) != 1:
            what = "twice" if name in head else f"not; it has {', '.join(head)}{did_you_mean(name, head)}"
            raise BadInput(f"{path}: column {name!r} is there {what}")
    if others := [name for name in head if name not in columns]:
        screen.say(f"{path}: columns that are left out: {', '.join(others)}")
    places, table = [head.index(name) for name in columns], np.zeros((len(rows) - 1, len(columns)))
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(head):
            raise BadInput(f"{path}: row {number} has {len(row)} cells, and the header {len(head)}")
        for column, place in enumerate(places):
            try:
                table[number - 1, column] = float(row[place])
            except ValueError:
                told = f"row {number}, column {columns[column]!r}: {row[place]!r} is no number"
                raise BadInput(f"{path}: {told}") from None
    return table


def _columns(offer: Offer, titles: Sequence[str], found: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of answers."""
    first = "picture" if isinstance(offer.takes, Pictures) else "class" if isinstance(offer.takes, Classes) else "row"
    if isinstance(offer.gives, Classes):
        best = found.argmax(-1)
        cells = [
            [str(offer.gives.names[k] if offer.gives.names else k), f"{row[k]:.6g}"]
            for k, row in zip(best, found, strict=True)
        ]
        header = ["predicted", "probability"]
    else:
        cells = [[f"{value:.8g}" for value in np.ravel(row)] for row in found]
        names = list(offer.gives.columns)
        header = names if len(names) == len(cells[0]) else [f"{i}" for i in range(len(cells[0]))]
    return [first, *header], [[title, *row] for title, row in zip(titles, cells, strict=True)]


def _require_free(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise BadInput(f"--to {path}: it is a folder; name a file")
    if path.exists() and not overwrite:
        raise BadInput(f"--to {path}: it is there already; choose another, or add --overwrite")


def _write(path: Path, content: str | Callable[[Any], Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
    except OSError as error:
        raise BadInput(f"--to {path}: {error.strerror or error}; choose a place that can be written") from None


def _text(text: str, target: Path | None) -> None:
    if target:
        _write(target, text)
        screen.say(f"written: {target}")
    else:
        with screen.piped():
            print(text)


def _table(target: Path | None, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *rows])
    if target:
        _write(target, written.getvalue())
        screen.say(f"written: {target}, {len(rows)} rows")
    else:
        with screen.piped():
            sys.stdout.write(written.getvalue())


def _pictures(target: Path, titles: Sequence[str], found: np.ndarray, overwrite: bool) -> None:
    """Writes pictures `[B, H, W, C]` in [0, 1] as PNG."""
    import cv2

    if target.exists() and not target.is_dir():
        raise BadInput(f"--to {target}: it is a file; pictures go into a folder")
    stems = [re.sub(r"[^\w.-]", "_", title) for title in titles]
    paths = [target / f"{stem}-{stems[:i].count(stem)}.png" for i, stem in enumerate(stems)]
    if (there := [path for path in paths if path.exists()]) and not overwrite:
        raise BadInput(f"--to {target}: it has {there[0].name} already; choose another, or add --overwrite")
    for path, picture in zip(paths, found, strict=True):
        pixels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)[..., ::-1]
        content = cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
        _write(path, lambda file, content=content: file.write(content))
    screen.say(f"written: {len(paths)} pictures in {target}")
