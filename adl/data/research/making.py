"""Preparing a research set from its raw files: whole, checked against what it is known by, and never over another."""

import functools
import json
import os
import textwrap
from pathlib import Path

from adl.core import BadInput, did_you_mean, first_line
from adl.data.prepare import built, move_in
from adl.data.research import DERIVED, SETS
from adl.data.research.builder import ResearchSet, content_sum
from adl.data.research.raw import Raw

Sums = dict[str, tuple[int, str]]  # of each split the number of examples, and their sum
CHANGED = "Made of raw files other than those that are published: its examples are not those that the set is known by."


def make(name: str, raw_folder: Path, place: Path, *, accept_changed: bool = False) -> str:
    """Prepares a set as array_record, aside, and moves it in whole; what was done, in words.

    Args:
      name: of the set, in `SETS`.
      raw_folder: with the files as they were published; only read.
      place: TFDS's data folder; made if need be.
      accept_changed: keeps a set whose examples are not those that it is known by, and says so in its description.
    Raises:
      BadInput: if the set is unknown, a file is missing, damaged or changed, another set is there already, or the
        folder cannot be written.
    """
    builder = _builder(name)
    part = Path(name) / str(builder.VERSION)
    with Raw(raw_folder) as raw:
        try:
            with built(functools.partial(builder, raw=raw), place, part) as aside:
                return _checked(builder, raw, aside, place, part, accept_changed)
        except BadInput:
            raise
        except (OSError, RuntimeError) as error:  # array_record says RuntimeError where the disk is full
            told = f"data set {name} cannot be prepared in {place}: {first_line(error)}"
            raise BadInput(f"{told}; give a --data_dir that can be written") from error
        except Exception as error:  # TFDS raises what it likes where examples are not what its features say
            raise BadInput(f"{name} cannot be made of {raw_folder}: {first_line(error)}; fetch it again") from error


def _checked(builder: type[ResearchSet], raw: Raw, aside: Path, place: Path, part: Path, accept_changed: bool) -> str:
    """Moves a set in that was built aside, if it is what it should be; what was done, in words."""
    sums = _sums(builder, aside / part)
    changed = _changes(builder, sums)
    if changed and not accept_changed:
        raise BadInput(f"{builder.name}: {changed}{_culprits(builder, raw)}; --accept_changed keeps them as they are")
    if changed:
        _note(aside / part)
    if os.path.lexists(place / part) or not _moved(aside, place, part):
        _require_same(builder, aside / part, place / part, sums)
        return f"{builder.name}: {place / part} has these very examples already ({_told(sums)}); it stays as it is"
    told = [f"{builder.name}: prepared in {place / part} ({_told(sums)})"]
    if changed:
        told.append(f"warning: {changed}; the description in its dataset_info.json says so")
    if builder.unchecked:
        told.append(f"note: {', '.join(builder.unchecked)} is not checked: what it was made of has no known sum")
    return "\n".join(told)


def _moved(aside: Path, place: Path, part: Path) -> bool:
    """Whether the set is in place now; not if another process was faster."""
    try:
        move_in(aside, place, part)
    except OSError:
        if not os.path.isdir(place / part):
            raise
        return False
    return True


def about_sets() -> str:
    """All sets: what is in each, how it is cut, which files it wants, from where, under what licence."""
    told = []
    for name, builder in SETS.items():
        splits = ", ".join(f"{split} {count:,}" for split, (count, _) in builder.known.items())
        said = {
            "splits": splits + (f" ({builder.protocol})" if builder.protocol else ""),
            "files": ", ".join(builder.files),
            **{f"sha256 of {file}": value for file, value in builder.sums.items()},
            "from": builder.source,
            "licence": builder.licence,
        }
        told += [f"{name}: {builder.use}", *(_wrapped(f"{word}: {value}") for word, value in said.items())]
    for name, why in DERIVED.items():
        told += [f"{name}: not made here", _wrapped(why)]
    return "\n".join(told)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 118, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


def _builder(name: str) -> type[ResearchSet]:
    """The builder of a set.

    Raises:
      BadInput: if there is none; it says why, or which was meant.
    """
    from adl.data.bundled import BUNDLED

    if name in DERIVED:
        raise BadInput(f"{name} cannot be prepared: {DERIVED[name]}")
    if name in BUNDLED:
        raise BadInput(f"{name} is bundled: it needs no raw files, and is prepared on first use")
    if name not in SETS:
        meant = did_you_mean(name, [*SETS])
        raise BadInput(f"no research set {name!r}{meant}; `python -m adl.data` lists them")
    return SETS[name]


def _sums(builder: type[ResearchSet], folder: Path) -> Sums:
    """What a prepared set is, read back from its files."""
    import tensorflow_datasets as tfds

    found = tfds.builder_from_directory(folder)
    return {split: content_sum(found, split, builder.unchecked) for split in found.info.splits}


def _changes(builder: type[ResearchSet], sums: Sums) -> str:
    """How a set differs from what it is known by; empty if it does not."""
    told = []
    for split, (count, digest) in builder.known.items():
        here, found = sums.get(split, (0, ""))
        if here != count:
            told.append(f"{split} has {here} of {count} examples")
        elif found != digest:
            told.append(f"examples of {split} differ (their SHA-256 is {found[:12]}..., not {digest[:12]}...)")
    return f"the raw files are not those that are published: {', '.join(told)}" if told else ""


def _culprits(builder: type[ResearchSet], raw: Raw) -> str:
    """Which files are changed, where their sums are known."""
    others = raw.other_than(builder.sums)
    return f"; not byte for byte as published: {', '.join(others)}" if others else ""


def _require_same(builder: type[ResearchSet], made: Path, folder: Path, sums: Sums) -> None:
    """Refuses a folder that holds anything but the examples that were made."""
    how = "it stays as it is; move it away, or give another --data_dir"
    try:
        schema, wanted = (json.loads((one / "features.json").read_bytes()) for one in (folder, made))
        if schema != wanted:  # asked first: TFDS imports whatever a schema names
            raise ValueError("its columns are others")
        there = _sums(builder, folder)
    except Exception as error:  # TFDS raises what it likes for a folder that holds no data set
        raise BadInput(
            f"{folder} is there already, and does not hold these examples ({first_line(error)}); {how}"
        ) from error
    if there != sums:
        raise BadInput(f"{folder} is there already, with other examples ({_told(there)}); {how}")


def _note(folder: Path) -> None:
    """Has the description of a set say that its raw files were changed."""
    path = folder / "dataset_info.json"
    info = json.loads(path.read_bytes())
    path.write_text(json.dumps({**info, "description": f"{info['description']} {CHANGED}"}, indent=2))


def _told(sums: Sums) -> str:
    return ", ".join(f"{split} {count:,}" for split, (count, _) in sums.items())
