"""`python -m adl` says what there is: every factory by family, with its call, one line, and its source.

    python -m adl                  the map, 100 columns wide
    python -m adl autoencoder      a family, with whole calls and all sources
    python -m adl importance 2016  what has all these words in its name, its line or its source

It is read from docstrings and signatures, of which nothing is imported.
"""

import ast
import re
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

WIDTH = 100
_ROOT = Path(__file__).parent
_AROUND = ("core", "run")  # lifts, and what runs: their algorithms are made of the caller's
_END = re.compile(r"(?<!\beq)(?<!\bsec)(?<!\bapp)(?<!\balg)\.(?=\s+[A-Z]|$)")  # of a source, and no abbreviation's


class Entry(NamedTuple):
    """One factory, or one module of a package that has none."""

    family: str  # "autoencoder"
    name: str  # "autoencoder.vae.beta_vae"
    arguments: tuple[str, ...]  # as they stand in the call: "model", "tx", "*", "beta", "axis=None"; () of a module
    line: str  # the first of its docstring
    sources: tuple[str, ...]  # its own, or else its module's; empty where there is none


def factories() -> list[Entry]:
    """Every public function of a family that says it returns an `Algorithm`, by family and file."""
    return [
        entry
        for path in sorted(_ROOT.rglob("*.py"))
        if len(path.relative_to(_ROOT).parts) > 1 and path.relative_to(_ROOT).parts[0] not in _AROUND
        for entry in _made_in(path)
    ]


def packages() -> dict[str, str]:
    """The first line of each package of the library, by its name."""
    return {path.parent.name: _line(ast.parse(path.read_text())) for path in sorted(_ROOT.glob("*/__init__.py"))}


def lines_about(words: Sequence[str] = ()) -> list[str]:
    """Lines of at most `WIDTH` characters: the map; of words a family whole, or all that has every one of them.

    Raises:
      BadInput: for words that nothing has.
    """
    known, lines = packages(), []
    found = entries_about(words)
    for family in dict.fromkeys(entry.family for entry in found):
        lines += ["", *textwrap.wrap(f"{family}: {known[family]}", WIDTH)]
        for entry in found:
            if entry.family == family:
                lines += _whole(entry) if words else _short(entry)
    if not words:
        more = [name for name in known if name not in {entry.family for entry in found}]
        lines += ["", "Without factories:"]
        lines += [_cut(f"  {name:<12}{known[name]}") for name in more]
        lines += ["", "Whole calls and all sources: python -m adl FAMILY, or any words"]
    return lines[1:]


def entries_about(words: Sequence[str]) -> list[Entry]:
    """The entries that words are about; all factories where there are none.

    Raises:
      BadInput: for words that nothing has.
    """
    entries, known = factories(), packages()
    words = [word.removeprefix("adl.") for word in words]
    family = words[0].lower() if len(words) == 1 else ""
    if family in known:
        return [entry for entry in entries if entry.family == family] or list(_modules(family))
    found = [entry for entry in entries if all(word.lower() in _text(entry) for word in words)]
    if not found:
        from adl.core import BadInput, did_you_mean

        names = [*known, *{name for entry in entries for name in (entry.name, *entry.name.split("."))}]
        strange = [word for word in words if not any(word.lower() in _text(entry) for entry in entries)]
        guess = next(filter(None, (did_you_mean(word.lower(), names) for word in strange)), "")
        raise BadInput(f"nothing here has {' and '.join(words)}; `python -m adl` shows what there is{guess}")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the map, or the part of it that the words are about; exit code 2 where there is none."""
    words = sys.argv[1:] if argv is None else list(argv)
    if {"-h", "--help"} & {*words}:
        print(__doc__.strip())
        return
    try:
        print("\n".join(lines_about(words)))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _made_in(path: Path) -> Iterator[Entry]:
    module, tree = path.relative_to(_ROOT).with_suffix("").parts, ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _makes_algorithm(node):
            sources = _sources(node) or _sources(tree)
            yield Entry(module[0], ".".join([*module, node.name]), _arguments(node.args), _line(node), sources)


def _modules(package: str) -> Iterator[Entry]:
    for path in sorted((_ROOT / package).glob("[!_]*.py")):
        tree = ast.parse(path.read_text())
        yield Entry(package, f"{package}.{path.stem}", (), _line(tree), _sources(tree))


def _makes_algorithm(node: ast.FunctionDef) -> bool:
    return node.returns is not None and bool(re.match(r"Algorithm\b", ast.unparse(node.returns)))


def _arguments(args: ast.arguments) -> tuple[str, ...]:
    """As they stand in the call; a default that is more than a word is shown as `...`."""

    def shown(name, default):
        text = "" if default is None else ast.unparse(default)
        return name if default is None else f"{name}={text if len(text) < 20 and ' ' not in text else '...'}"

    places = [*args.posonlyargs, *args.args]
    first = [None] * (len(places) - len(args.defaults)) + args.defaults
    words = [shown(arg.arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    words.sort(key=lambda word: "=" in word)  # what must be given first
    return (*(shown(arg.arg, d) for arg, d in zip(places, first, strict=True)), *(["*", *words] if words else []))


def _line(node: ast.AST) -> str:
    """The first paragraph of a docstring, as one line."""
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())


def _sources(node: ast.AST) -> tuple[str, ...]:
    """What a docstring names as its sources, each apart."""
    found = re.search(r"\bSources?: (.*?)(?:\n\n|\Z)", ast.get_docstring(node) or "", re.DOTALL)
    text = _END.split(" ".join(found[1].split()))[0] if found else ""
    return tuple(part for part in re.split(r";\s*(?![^(]*\))", text) if part)


def _text(entry: Entry) -> str:
    return " ".join([entry.name, entry.line, *entry.sources]).lower()


def _short(entry: Entry) -> list[str]:
    """A call, its line and its first source, cut to the width."""
    own = [f"    {entry.line}", f"    {entry.sources[0] if entry.sources else 'no source'}"]
    return [f"  {_call(entry, WIDTH - 2)}", *map(_cut, own)]


def _whole(entry: Entry) -> list[str]:
    """The same, wrapped."""
    call = f"{entry.name}({', '.join(entry.arguments)})" if entry.arguments else entry.name
    lines = textwrap.wrap(call, WIDTH, initial_indent="  ", subsequent_indent="      ")
    for text in (entry.line, "; ".join(entry.sources)):
        lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _call(entry: Entry, width: int) -> str:
    """The call with as many arguments as fit."""
    for count in range(len(entry.arguments), -1, -1):
        rest = [] if count == len(entry.arguments) else ["..."]
        call = f"{entry.name}({', '.join([*entry.arguments[:count], *rest])})"
        if len(call) <= width:
            break
    return call


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that leaves early, as `head` does, ends this too
    main()
