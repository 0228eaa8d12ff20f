"""`python -m adl.data` lists the research sets; `python -m adl.data prepare NAME RAW_FOLDER` makes one of raw files."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from adl.core import BadInput, did_you_mean, local_path
from adl.data.prepare import tfds_folder
from adl.data.research import SETS
from adl.data.research.making import about_sets, make

USAGE = "python -m adl.data prepare NAME RAW_FOLDER [--data_dir DIR] [--accept_changed]"
FLAGS = ("--data_dir", "--accept_changed", "--help")


def main(argv: Sequence[str] | None = None) -> None:
    """The command line: without words the list, with `prepare` the work; exit code 2 and one line for bad input."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        told = about_sets() + f"\n\nprepare one: {USAGE}" if words in ([], ["list"]) else _prepare(words)
        _print(told)
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _prepare(words: Sequence[str]) -> str:
    parser = _Parser(prog="python -m adl.data", usage=USAGE, description=__doc__, allow_abbrev=False)
    parser.add_argument("command", metavar="prepare", help="makes a set; without words: lists all")
    parser.add_argument("name", metavar="NAME", nargs="?", help="of the set, as the list has it")
    parser.add_argument("raw_folder", metavar="RAW_FOLDER", nargs="?", help="with the files as they were published")
    parser.add_argument("--data_dir", action=_Once, default="", help="TFDS's; $TFDS_DATA_DIR or ~/tensorflow_datasets")
    parser.add_argument("--accept_changed", action="store_true", help="keep examples that differ from the known ones")
    chosen, more = parser.parse_known_args(words)
    if chosen.command != "prepare":
        meant = did_you_mean(chosen.command, ["prepare", "list"])
        if chosen.command in SETS:
            meant = f"; `prepare {chosen.command} RAW_FOLDER` makes it"
        raise BadInput(f"{chosen.command}: the commands are prepare and list{meant}")
    if more:
        meant = did_you_mean(more[0].partition("=")[0], FLAGS)
        raise BadInput(f"{more[0]} is one word too many, or no flag{meant}; usage: {USAGE}")
    if not chosen.name or not chosen.raw_folder:
        what = "RAW_FOLDER" if chosen.name else "NAME and RAW_FOLDER"
        raise BadInput(f"{what}: missing; usage: {USAGE}; `python -m adl.data` lists the sets and their files")
    place = tfds_folder(chosen.data_dir)
    raw = local_path(chosen.raw_folder, "RAW_FOLDER").absolute()
    return make(chosen.name, raw, place, accept_changed=chosen.accept_changed)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; usage: {USAGE}")


class _Once(argparse.Action):
    """A flag of which a second one could not count."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if getattr(namespace, self.dest):
            raise BadInput(f"{option_string}: it is given twice, and only one could count")
        setattr(namespace, self.dest, values)


def _print(told: str) -> None:
    """Prints to a reader who may leave early, as `head` does."""
    with contextlib.suppress(BrokenPipeError):
        print(told, flush=True)
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end


if __name__ == "__main__":
    main()
