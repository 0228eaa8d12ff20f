"""Asks a trained run about files of a person's: pictures in, labels out; a prompt in, text out; a class in, pictures.

What goes in and comes out is what the run's offer says (`adl.run.offer`). A table goes to the screen, or to `--to` as
CSV; pictures are written as files into the folder `--to` (`adl.run.depicted`). Nothing is overwritten unasked.
"""

import collections
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

import jax
import numpy as np
import tyro

from adl.core import BadInput, did_you_mean, fold_in, local_path
from adl.run import depicted, screen
from adl.run import folder as files
from adl.run.config import Study
from adl.run.inputs import ClipFolders, Fitting, Pictures, SoundFiles, read_table
from adl.run.offer import Boxes, Cells, Choice, Films, Images, Maps, Offer, Repeats, Sounds, Text
from adl.run.trained import Trained, trained_run

AT_ONCE = 256  # rows or pictures in one call
MOST = 100_000  # pictures, rows or tokens that one command makes


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
          BadInput: as `trained_run`, or for a step or a seed that is no number.
        """
        step = self.step if self.step == "best" else _integer("--step", self.step)
        one = {"seed": _integer("--seed", self.seed), "setting": self.setting or None}
        return trained_run(self.workdir, step=step, module=self.module or None, data_dir=self.data_dir or None, **one)


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
    resize: bool = False  # pictures unlike the model's; without: as the run's own --picture_fit
    num: int = 0  # pictures of each class, or tokens of a text; 0: one picture, or what the experiment says
    key: int = 0  # of the luck: the same number gives the same answer


def use(asked: Using) -> None:
    """Answers on the screen or in files.

    Raises:
      BadInput: in one line; nothing is written then.
    """
    if not 0 <= asked.num <= MOST:
        raise BadInput(f"--num {asked.num}: it must be in 0 ... {MOST}")
    if not 0 <= asked.key < 2**63:
        raise BadInput(f"--key {asked.key}: it must be in 0 ... 2**63 - 1")
    trained = asked.load()
    name, offer = _offer(trained, asked.what)
    if trained.program.num_axes:
        raise BadInput(f"{trained.folder}: it has several runs; --seed N, and of a sweep --setting, say which answers")
    function = getattr(trained, name)
    are_pictures = isinstance(offer.gives, Images | Maps)
    if are_pictures and not asked.to:
        raise BadInput("--to FOLDER: pictures are written there; name one")
    titles, given = _given(offer, asked, trained.config)
    more = {"num_tokens": asked.num} if asked.num and isinstance(offer.takes, Text) else {}
    if asked.num and not isinstance(offer.takes, Choice | Text):
        raise BadInput(f"--num {asked.num}: it is of classes and texts; {name} takes {_words(offer.takes)}")
    target = local_path(asked.to, "--to") if asked.to else None
    if are_pictures:
        paths = _places(target, titles, asked.overwrite, depicted.ending(offer.gives))
    elif target:
        _require_free(target, asked.overwrite)
    if isinstance(offer.gives, Text):
        said = function(given if isinstance(offer.takes, Text) else given[: len(given)], key=asked.key, **more)
        if isinstance(offer.takes, Text):
            _text(asked.inputs[0] + said, target)
        else:
            _table(target, ["picture", "text"], [list(row) for row in zip(titles, said, strict=True)])
        return
    found = np.asarray(function(given, key=asked.key) if offer.together else _in_parts(function, given, asked.key))
    if not np.isfinite(found).all():
        raise BadInput(f"{trained.folder}: at step {trained.step} {name} gives numbers that are not finite")
    if are_pictures:
        for path, one in zip(paths, found, strict=True):
            _write(path, functools.partial(_put, content=depicted.content(offer.gives, one)))
        screen.say(f"written: {len(paths)} pictures in {target}")
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
    if isinstance(takes, Images):
        return f"pictures of {' x '.join(map(str, takes.shape[:2]))}: files, or folders of them"
    if isinstance(takes, Films):
        return f"folders of {takes.shape[0]} pictures of {takes.shape[1]} x {takes.shape[2]}, each a clip"
    if isinstance(takes, Sounds):
        return f"sounds (.wav) of {takes.rate} samples a second: files, or folders of them"
    if isinstance(takes, Cells):
        return f"one CSV file with the columns {', '.join(takes.columns)}"
    if isinstance(takes, Choice):
        return f"classes: {', '.join(map(str, list(takes.names)[:20]))}"
    return "a prompt in quotes" if isinstance(takes, Text) else "a number of draws"


def _given(offer: Offer, asked: Using, config: Study) -> tuple[list[str], Any]:
    """What the answers are called, and what the function is given."""
    takes, inputs = offer.takes, asked.inputs
    is_one = isinstance(takes, Cells | Text | Repeats)
    if not inputs or (is_one and len(inputs) > 1):
        raise BadInput(f"{' '.join(inputs) or 'nothing to answer'}: wanted is {_words(takes)}")
    if asked.resize and not isinstance(takes, Images | Films):
        raise BadInput(f"--resize: there are no pictures to resize; wanted is {_words(takes)}")
    if isinstance(takes, Images | Films):
        given = (Pictures if isinstance(takes, Images) else ClipFolders)(inputs, takes.shape, _fit(asked, config))
        return given.names, given
    if isinstance(takes, Sounds):
        given = SoundFiles(inputs, takes.length, takes.rate)
        return given.names, given
    if isinstance(takes, Cells):
        table = read_table(inputs[0], takes.columns)
        return [str(i + 1) for i in range(len(table))], table
    if isinstance(takes, Choice):
        label = np.repeat(takes.read([_class(word, takes) for word in inputs]), max(asked.num, 1))
        _require_few(len(label))
        return [str(takes.names[one]) for one in label], label
    if isinstance(takes, Text):
        return [], inputs[0]
    number = takes.read(_integer("the number of draws", inputs[0]))
    _require_few(number)
    return [f"{i}" for i in range(number)], number


def _require_few(number: int) -> None:
    if number > MOST:
        raise BadInput(f"{number} at once: at most {MOST} are made by one command; --key makes others")


def _fit(asked: Using, config: Study) -> Fitting:
    """What becomes of pictures of another kind: what is asked for, or else what became of those that were learned."""
    if asked.resize:
        return Fitting("resize", True)
    return Fitting(getattr(config, "picture_fit", "refuse"), getattr(config, "picture_colour", "kept") != "kept")


def _class(word: str, takes: Choice) -> str | int:
    """A class by its name, or where no name is so by its number."""
    return int(word) if word not in map(str, takes.names) and re.fullmatch(r"[0-9]{1,9}", word) else word


def _in_parts(function: Callable[..., Any], given: Any, key: int) -> np.ndarray:
    """The answers to many rows, part by part: of one shape, so that one program serves all; each part has its key."""
    count, found = given if isinstance(given, int) else len(given), []
    for first in range(0, count, AT_ONCE):
        if isinstance(given, int):
            part = min(count, AT_ONCE)
        else:
            part = given[first : first + AT_ONCE]
            part = np.concatenate([part, np.repeat(part[:1], min(count, AT_ONCE) - len(part), 0)])
        own = fold_in(jax.random.key(key), first) if first else key  # or the parts would draw the same
        found.append(np.asarray(function(part, key=own))[: count - first])
    return np.concatenate(found)


def _columns(offer: Offer, titles: Sequence[str], found: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of answers."""
    if isinstance(offer.gives, Boxes):
        return offer.gives.rows(titles, found)
    first = {Images: "picture", Films: "clip", Sounds: "sound", Choice: "class"}.get(type(offer.takes), "row")
    if isinstance(offer.gives, Choice):
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


def _put(file: Any, content: bytes) -> None:
    file.write(content)


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


def _places(target: Path, titles: Sequence[str], overwrite: bool, ending: str) -> list[Path]:
    """A file for each picture, numbered by its title.

    Raises:
      BadInput: if one is there, and may not be overwritten.
    """
    if target.exists() and not target.is_dir():
        raise BadInput(f"--to {target}: it is a file; pictures go into a folder")
    stems = [re.sub(r"[^\w.-]", "_", title) for title in titles]
    numbers, paths = collections.Counter(), []
    for stem in stems:
        paths.append(target / f"{stem}-{numbers[stem]}{ending}")
        numbers[stem] += 1
    if (there := [path for path in paths if path.exists()]) and not overwrite:
        raise BadInput(f"--to {target}: it has {there[0].name} already; choose another, or add --overwrite")
    return paths
