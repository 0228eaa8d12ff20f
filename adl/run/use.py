"""Asks a trained run about files of a person's: pictures in, labels out; a prompt in, text out; a class in, pictures.

What goes in and comes out is what the run's offer says (`adl.run.offer`). A table goes to the screen, or to `--to` as
CSV; pictures are written as PNG into the folder `--to`. Nothing is overwritten unasked.
"""

import csv
import functools
import io
import os
import re
import secrets
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
from adl.run.inputs import picture_files, read_picture, read_table
from adl.run.offer import AsClasses, AsDraws, AsPictures, AsRows, AsText, Offer
from adl.run.trained import Trained, restored

AT_ONCE = 256  # rows or pictures in one call


@dataclass(frozen=True)
class Which:
    """Of which run and step."""

    workdir: Annotated[
        str, tyro.conf.Positional, tyro.conf.arg(metavar="WORKDIR")
    ]  # folder of a run, or one within which a single run lies
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

    inputs: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")
    ] = ()  # pictures, a CSV, a prompt, classes, a number
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
    if isinstance(offer.gives, AsPictures) and not asked.to:
        raise BadInput("--to FOLDER: pictures are written there; name one")
    titles, given = _given(offer, asked)
    more = {"num_tokens": asked.num} if asked.num and isinstance(offer.takes, AsText) else {}
    if asked.num and not isinstance(offer.takes, AsClasses | AsText):
        raise BadInput(f"--num {asked.num}: it is of classes and texts; {name} takes {_words(offer.takes)}")
    target = local_path(asked.to, "--to") if asked.to else None
    if target and not isinstance(offer.gives, AsPictures):
        _require_free(target, asked.overwrite)
    if isinstance(offer.gives, AsText):
        _text(asked.inputs[0] + function(given, key=asked.key, **more), target)
        return
    answer = functools.partial(function, key=asked.key)
    found = np.asarray(answer(given) if offer.together else _in_parts(answer, given))
    if not np.isfinite(found).all():
        raise BadInput(f"{trained.folder}: at step {trained.step} {name} gives numbers that are not finite")
    if isinstance(offer.gives, AsPictures):
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
    if isinstance(takes, AsPictures):
        return f"pictures of {' x '.join(map(str, takes.shape[:2]))}: files, or folders of them"
    if isinstance(takes, AsRows):
        return f"one CSV file with the columns {', '.join(takes.columns)}"
    if isinstance(takes, AsClasses):
        return f"classes: {', '.join(map(str, list(takes.names)[:20]))}"
    return "a prompt in quotes" if isinstance(takes, AsText) else "a number of draws"


def _given(offer: Offer, asked: Using) -> tuple[list[str], Any]:
    """What the answers are called, and what the function is given."""
    takes, inputs = offer.takes, asked.inputs
    is_one = isinstance(takes, AsRows | AsText | AsDraws)
    if not inputs or (is_one and len(inputs) > 1):
        raise BadInput(f"{' '.join(inputs) or 'nothing to answer'}: wanted is {_words(takes)}")
    if asked.resize and not isinstance(takes, AsPictures):
        raise BadInput(f"--resize: there are no pictures to resize; wanted is {_words(takes)}")
    if isinstance(takes, AsPictures):
        paths = [path for word in inputs for path in picture_files(local_path(word, "a picture"))]
        return [str(path) for path in paths], np.stack(
            [read_picture(path, takes.shape, asked.resize) for path in paths]
        )
    if isinstance(takes, AsRows):
        table = read_table(local_path(inputs[0], "a table"), takes.columns)
        return [str(i + 1) for i in range(len(table))], table
    if isinstance(takes, AsClasses):
        label = np.repeat(takes.read([_class(word, takes) for word in inputs]), max(asked.num, 1))
        return [str(takes.names[one]) for one in label], label
    if isinstance(takes, AsText):
        return [], inputs[0]
    number = _integer("the number of draws", inputs[0])
    takes.read(number)
    return [f"{i}" for i in range(number)], number


def _class(word: str, takes: AsClasses) -> str | int:
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


def _columns(offer: Offer, titles: Sequence[str], found: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of answers."""
    first = (
        "picture" if isinstance(offer.takes, AsPictures) else "class" if isinstance(offer.takes, AsClasses) else "row"
    )
    if isinstance(offer.gives, AsClasses):
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
        aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")  # it is a folder of a person's
        files.write(aside, content)
        os.replace(aside, path)
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
