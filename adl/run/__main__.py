"""The catalogue of anybody's experiments: `python -m adl.run PACKAGE [list | verify | plan | export | use | ...] ...`.

PACKAGE is one that can be imported from here, or the path of its folder, or of a single file: modules with a `Config`,
a `build` and CLAIMS, as those of `experiments`. Without a command they are listed; each command has `--help`.

    python -m adl.run mypackage
    python -m adl.run mypackage list one
    python -m adl.run my_experiment.py verify
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from adl.core import BadInput, did_you_mean
from adl.run import catalogue
from adl.run.claim import claiming, imported


def main(argv: Sequence[str] | None = None) -> None:
    """The command line: exit codes are those of `catalogue.main`."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return
    try:
        if not words:
            raise BadInput(f"name a package of experiments, or a file{_there()}; `python -m adl.run --help` says more")
        package = opened(words[0])
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    catalogue.main(package, words[1:])


def opened(word: str) -> ModuleType:
    """The package, or module, of experiments that a word means.

    Raises:
      BadInput: if there is none, it cannot be imported, or nothing in it makes claims.
    """
    path, name = Path(word), word
    is_file = path.suffix == ".py" and path.is_file()
    if is_file or ((os.sep in word or word in (".", "..")) and path.is_dir()):
        name = path.stem if is_file else path.resolve().name
        if "." in name:
            raise BadInput(f"{word}: Python imports no name with a dot in it; rename it")
        sys.path.insert(0, str(path.resolve().parent))
        importlib.invalidate_caches()
    try:
        is_there = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:  # of what stands before its last dot
        is_there = error.name is None or not f"{name}.".startswith(f"{error.name}.")
    except (ImportError, ValueError):
        is_there = False
    except Exception:
        is_there = True  # a parent of it fails, and says how when it is imported
    if not is_there:
        raise BadInput(f"no package or file {word} here{_there()}{did_you_mean(word, _found())}")
    package = imported(name)
    if is_file and not path.samefile(package.__file__ or ""):
        raise BadInput(f"{word}: {package.__file__} has the same name; rename yours")
    if not claiming(package):
        raise BadInput(f"{word}: nothing in it makes claims; an experiment has CLAIMS, a tuple of run.Claim")
    return package


def _found() -> list[str]:
    """Packages, and modules that make claims, in the current folder."""
    return [module.name for module in pkgutil.iter_modules(["."]) if module.ispkg or _says_claims(module.name)]


def _says_claims(name: str) -> bool:
    try:
        return "CLAIMS" in Path(f"{name}.py").read_text(errors="replace")
    except OSError:  # a module that was compiled, or may not be read
        return False


def _there() -> str:
    found = _found()
    return f"; here are {', '.join(found)}" if found else ""


if __name__ == "__main__":
    main()
