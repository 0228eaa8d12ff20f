"""Which split and which class a file belongs to, by the folders that it lies in or by a hash of its name."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adl.core import BadInput
from adl.data.files.found import WHOLE, as_compared, counted_classes
from adl.data.files.listing import READ_WHOLE, File, Files, digests

SPLITS = {
    **{"train": "train", "training": "train"},
    **{"test": "test", "testing": "test"},
    **{"validation": "validation", "val": "validation", "valid": "validation"},
}


class Arranged(NamedTuple):
    """Files by split, each with its class."""

    files: Mapping[str, list[File]]  # of "train", "test", "validation"
    labels: Mapping[str, list[int]]  # of each of the files; empty where there are no classes
    classes: tuple[str, ...]  # [K], in order; none where files lie in no folders
    is_hashed: bool  # whether the test part was drawn


def arranged(listing: Files, test_share: float, noun: str, *, of_classes: bool = True) -> Arranged:
    """Files below train/ and test/, or divided by a hash of their names; in class folders, or in none.

    Args:
      listing: the files that are examples.
      test_share: of the files, in (0, 1), where there is no test folder.
      noun: what they are, "pictures".
      of_classes: whether folders within say what files are; else they only keep them.
    Raises:
      BadInput: if folders are mixed, empty, or differ between the splits.
    """
    parts, inside = _parts(listing, noun)
    is_hashed = set(parts) == {"train"}
    classes = _classes(listing, parts, inside, noun) if of_classes else ()
    if is_hashed:
        parts = _hashed(listing, parts["train"], inside, test_share, noun)
    if not classes:
        return Arranged(parts, {split: [] for split in parts}, (), is_hashed)
    index = {name: place for place, name in enumerate(classes)}
    labels = {split: [index[as_compared(file.parts[inside])] for file in files] for split, files in parts.items()}
    taught = {*labels["train"]}
    for name, place in index.items():
        if place not in taught:
            split = next(split for split in parts if place in labels[split])
            how = f"; {'another --test_share, or more of them' if is_hashed else f'train/{name} would have some'}"
            raise BadInput(f"{listing.where}: class {name} has {noun} in {split} but none in train{how}")
    return Arranged(parts, labels, classes, is_hashed)


def _parts(listing: Files, noun: str) -> tuple[dict[str, list[File]], int]:
    """Files by split, and how many of their folders say so."""
    tops = {folder.split("/")[0] for folder in listing.folders}
    named = {top: SPLITS[top.lower()] for top in sorted(tops) if top.lower() in SPLITS}
    if "train" not in named.values() or (len(tops) > len(named) and not {"test", "validation"} & {*named.values()}):
        return {"train": list(listing.files)}, 0
    if rest := sorted(tops - {*named}):
        told = f"{listing.where}: beside {counted_classes([*named])} lies {counted_classes(rest)}"
        raise BadInput(f"{told}: put the class folders into train/ and test/, or have no folders of these names")
    if len({*named.values()}) < len(named):
        raise BadInput(f"{listing.where}: {counted_classes([*named])} name one split twice; put their files together")
    if stray := [file for file in listing.files if len(file.parts) == 1]:
        raise BadInput(f"{listing.where}: {stray[0].name} lies beside {counted_classes([*named])}, in none of them")
    parts = {split: [file for file in listing.files if file.parts[0] == top] for top, split in named.items()}
    for top, split in named.items():
        if not parts[split]:
            raise BadInput(f"{listing.where}: {top} has no {noun}")
    order = ("train", "validation", "test")
    return {split: parts[split] for split in order if split in parts}, 1


def _classes(listing: Files, parts: Mapping[str, Sequence[File]], inside: int, noun: str) -> tuple[str, ...]:
    """The class folders of all splits, in order; none where the files lie in no folders."""
    deep = {split: {len(file.parts) > inside + 1 for file in files} for split, files in parts.items()}
    if any(len(kinds) > 1 for kinds in deep.values()):
        file = next(file for files in parts.values() for file in files if len(file.parts) == inside + 1)
        raise BadInput(f"{listing.where}: {file.name} lies beside class folders, in none of them")
    if len(kinds := set.union(*deep.values())) > 1:
        raise BadInput(f"{listing.where}: some of {', '.join(parts)} have class folders, and some have none")
    if not kinds.pop():
        return ()
    spelled = Counter(as_compared(name) for name in {file.parts[inside] for files in parts.values() for file in files})
    heads = {split: {file.parts[inside] for file in files} for split, files in parts.items()}
    for names in heads.values():
        twice = [name for name, count in Counter(map(as_compared, names)).items() if count > 1]
        if twice:
            raise BadInput(f"{listing.where}: two folders are called {twice[0]}, in two spellings of its accents")
    tops = {path for path in listing.folders if path.count("/") == inside}
    for path in sorted(tops):
        name = as_compared(path.split("/")[inside])
        if name not in spelled or (
            inside
            and SPLITS[path.split("/")[0].lower()] == "train"
            and not any(as_compared(head) == name for head in heads["train"])
        ):
            raise BadInput(f"{listing.where}: class folder {path} has no {noun}; remove it, or fill it")
    return tuple(sorted(spelled))


def how_many(number: int, noun: str) -> str:
    """So many of them, in words: "2 pictures", "1 picture"."""
    return f"{number} {noun if number != 1 else noun.removesuffix('s')}"


def in_test(name: str, test_share: float) -> bool:
    """Whether an example of this name is of the test part: by its name alone, whatever is beside it."""
    digest = hashlib.sha256(as_compared(name).encode()).digest()
    return int.from_bytes(digest[:8], "big") < test_share * WHOLE


def _hashed(listing: Files, files: Sequence[File], inside: int, test_share: float, noun: str) -> dict[str, list[File]]:
    parts: dict[str, list[File]] = {"train": [], "test": []}
    for file in files:
        parts["test" if in_test("/".join(file.parts[inside:]), test_share) else "train"].append(file)
    for split, found in parts.items():
        if not found:
            told = f"--test_share {test_share:g} leaves none of the {how_many(len(files), noun)} to {split}"
            raise BadInput(f"{listing.where}: {told}; another share, more {noun}, or folders train/ and test/")
    return parts


def twins(listing: Files, parts: Mapping[str, Sequence[File]]) -> str:
    """How many files of other splits have the content of one to learn from, in words; nothing where none has."""
    if sum(file.size for file in listing.files) > READ_WHOLE:
        return "too large to look for what of test is also in train"
    known = digests(listing)
    seen = {known[as_compared(file.name)] for file in parts["train"]}
    counts = {
        split: sum(known[as_compared(file.name)] in seen for file in files)
        for split, files in parts.items()
        if split != "train"
    }
    told = [f"{count} of {split}" for split, count in counts.items() if count]
    return f"also in train, by their content: {', '.join(told)}" if told else ""
