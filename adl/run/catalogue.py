"""The catalogue of a package of experiments: listed, verified through their own command lines, planned."""

import dataclasses
import functools
import hashlib
import json
import math
import operator
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from adl.core import BadInput, did_you_mean
from adl.run import flags, ranges, screen
from adl.run.chat import Chatting, chat
from adl.run.claim import (
    asked,
    bound,
    claiming,
    command,
    described,
    key,
    member,
    missing,
    read_measured,
    words,
    write_measured,
)
from adl.run.contents import chosen_of, families, listing
from adl.run.experiment import Claim, Definition
from adl.run.export import export, written_beside
from adl.run.play import Playing, play_person
from adl.run.record import read_rows
from adl.run.use import Exporting, Using, use


@dataclass(frozen=True)
class Listing:
    """All experiments, a line each, with cost and measured value; of named ones all claims and their commands."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # experiments of which all is said; none: the list
    markdown: bool = False  # a row a family, as in the README


@dataclass(frozen=True)
class Verification:
    """Measures claims again; exit code 1 where one falls short or a run fails."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # experiments; none: all
    long: bool = False  # also the claims that take up to an hour each
    only: str = ""  # claims whose metric or configuration has this text, such as "num_samples 50"
    data_dir: str = ""  # of TFDS, for every run


@dataclass(frozen=True)
class Planning:
    """What a step of each experiment costs on hardware that is not here; exit code 1 if one cannot run there."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # experiments; none: all
    topology: str = "v5e:4x4"  # of libtpu, or cpu


def main(package: ModuleType, argv: Sequence[str] | None = None) -> None:
    """The command line of a package of experiments: the listing, or one of the commands below."""
    words = list(sys.argv[1:] if argv is None else argv) or ["list"]
    kinds = {"list": Listing, "verify": Verification, "plan": Planning, "export": Exporting}
    kinds |= {"use": Using, "play": Playing, "chat": Chatting}
    try:
        _require_command(package, words[0], list(kinds))
        named = [Annotated[kind, tyro.conf.subcommand(name, prefix_name=False)] for name, kind in kinds.items()]
        commands = functools.reduce(operator.or_, named[1:], named[0])
        chosen = flags.words(commands, words, prog=asked(package), description=package.__doc__ or "")
        if isinstance(chosen, Listing):
            with screen.piped():
                print(families(package) if chosen.markdown else "\n".join(listing(package, chosen.names)))
            return
        if isinstance(chosen, Using):
            use(chosen)
            return
        if isinstance(chosen, Playing | Chatting):
            with screen.piped():
                chat(chosen) if isinstance(chosen, Chatting) else play_person(chosen)
            return
        if isinstance(chosen, Exporting):
            trained = chosen.load()
            screen.say(f"written: {export(trained, chosen.to, overwrite=chosen.overwrite)}")
            screen.say(*(f"the run itself wrote {path}, for other programs" for path in written_beside(trained)))
            return
        work = plans if isinstance(chosen, Planning) else verify
        if not work(package, **dataclasses.asdict(chosen)):
            sys.exit(1)
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _require_command(package: ModuleType, word: str, commands: Sequence[str]) -> None:
    there = claiming(package)
    if word in there:
        runs = f"python -m {member(package, word).__name__}"
        raise BadInput(f"{word}: `{runs}` runs it, `{asked(package)} list {word}` says what it claims")
    if word not in commands and not word.startswith("-"):
        known = [*commands, *there]
        raise BadInput(f"no command {word}; there are {', '.join(commands)}{did_you_mean(word, known)}")


def verify(
    package: ModuleType, names: Sequence[str] = (), *, long: bool = False, only: str = "", data_dir: str = ""
) -> bool:
    """Runs what the claims need, once for all claims of the same configuration, and writes it beside the experiments.

    Args:
      package: of experiments.
      names: of experiments in it; none: all.
      long: also claims that are `long`.
      only: text that the claim's key must hold.
      data_dir: of TFDS; empty: the runs' own default.
    Returns:
      Whether every run ended well and every claim holds.
    Raises:
      BadInput: for an unknown name, or if there is nothing to verify.
    """
    modules = chosen_of(package, names)
    for module in modules.values():
        read_measured(module)  # what is damaged there is said before hours of work
    runs: dict[tuple[str, ...], list[Claim]] = {}
    for name, module in modules.items():
        for claim in module.CLAIMS:
            if (long or not claim.long) and only in key(claim):
                if need := missing(claim, data_dir):
                    print(f"skipped: {command(module, claim)}: {bound(claim)}: it needs {need}", flush=True)
                else:
                    runs.setdefault((name, *words(claim.overrides)), []).append(claim)
    if not runs:
        raise BadInput(f"{', '.join(names) or package.__name__}: no claim to measure; add --long, or widen --only")
    table = Table("experiment", "claim", "measured", "holds", "minutes")
    well = True
    for (name, *more), claims in runs.items():
        records = _measure(modules[name], more, claims, data_dir)
        for claim, record in zip(claims, records, strict=True):
            holds = "not measured" if record is None else "yes" if record["holds"] else "NO"
            numbers = (described(record), holds, f"{record['seconds'] / 60:.1f}") if record else ("-", holds, "-")
            table.add_row(name, bound(claim), *numbers, style=None if holds == "yes" else "bold red")
            well &= holds == "yes"
        write_measured(modules[name], {key(c): r for c, r in zip(claims, records, strict=True) if r})
    _console().print(table)
    return well


def plans(package: ModuleType, names: Sequence[str] = (), *, topology: str) -> bool:
    """Compiles the default step of experiments for a topology, and prints what each costs.

    Sizes that all devices share, such as the batch, are the defaults or the next multiples of the devices' number.

    Args:
      package: of experiments.
      names: of experiments in it; none: all.
      topology: of libtpu, or `cpu`.
    Returns:
      Whether every step compiles and fits.
    Raises:
      BadInput: for an unknown name or topology, or without libtpu.
    """
    from adl.run.chip import cpu, tpu
    from adl.run.plan import Plan, overview, plan

    modules = chosen_of(package, names)
    jax.config.update("jax_platforms", "cpu")  # devices are only described: this machine's are not wanted
    _, devices = cpu("auto") if topology == "cpu" else tpu(topology)  # one that is none says so once, not in every line
    planned: dict[str, Plan | str] = {}
    for name, module in modules.items():
        print(f"compiling {name}", file=sys.stderr, flush=True)
        try:
            config = _divisible(module.Config(), len(devices))
            planned[name] = plan(Definition.of(module.__name__), config, topology)
        except BadInput as error:
            planned[name] = str(error)
    _console().print(overview(planned, topology))
    return all(isinstance(cost, Plan) and cost.fits for cost in planned.values())


def _divisible(config: Any, n: int) -> Any:
    """The configuration with what n devices share as it is, or where n does not divide it the next multiple of n."""
    sizes = {name: getattr(config, name, 0) for name in {*ranges.shared(type(config)), "batch_size"}}
    return dataclasses.replace(config, **{name: -(-size // n) * n for name, size in sizes.items() if size})


def _measure(
    module: ModuleType, more: Sequence[str], claims: Sequence[Claim], data_dir: str
) -> list[dict[str, Any] | None]:
    """One run in a fresh folder, and what it says of each claim; None where it failed or does not say."""
    digest = hashlib.sha256(" ".join(more).encode()).hexdigest()[:8]
    name = module.__name__.removeprefix("experiments.")
    folder = Path("runs") / "verify" / "-".join([name, *([digest] if more else [])])
    shutil.rmtree(folder, ignore_errors=True)
    place = ["--workdir", str(folder), *(["--data_dir", data_dir] if data_dir else [])]
    root = str(Path(module.__file__).parents[module.__name__.count(".")])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    started = time.monotonic()
    print(f"$ {command(module, claims[0])}", flush=True)
    run = subprocess.Popen(
        [sys.executable, "-m", module.__name__, *more, *place],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    _, status, used = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    cost = {
        "seconds": round(time.monotonic() - started),
        "peak_memory_mib": round(used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)),
    }
    if run.returncode:
        print(f"error: {module.__name__} ended with exit code {run.returncode}", file=sys.stderr)
        return [None] * len(claims)
    rows = read_rows(folder / "metrics.jsonl")
    environment = json.loads((folder / "environment.json").read_text())
    return [_record(module, claim, rows, environment, cost) for claim in claims]


def _record(
    module: ModuleType, claim: Claim, rows: Sequence[Mapping[str, Any]], environment: Mapping[str, Any], cost: dict
) -> dict[str, Any] | None:
    """What `<name>.measured.json` keeps of a claim."""
    row = next((row for row in reversed(rows) if claim.metric in row), None)
    if row is None:
        print(f"error: {module.__name__} wrote no {claim.metric}", file=sys.stderr)
        return None
    values = np.ravel(np.array(row[claim.metric], float))
    value, n = claim.value(values), len(values)
    if not math.isfinite(value):
        print(f"error: {module.__name__} measured {value} as {claim.metric}", file=sys.stderr)
        return None
    versions = {name: environment["versions"][name] for name in ("jax", "jaxlib", "adl")}
    return {
        "value": value,
        "standard_error": float(values.std(ddof=1) / math.sqrt(n)) if n > 1 and claim.reduce == "mean" else None,
        "num_seeds": n,
        "reduce": claim.reduce,
        "bound": [end if math.isfinite(end) else None for end in (claim.at_least, claim.at_most)],
        "holds": claim.holds(value),
        "hardware": _hardware(environment),
        "versions": {**versions, "python": environment["python"]},
        "date": datetime.now(UTC).date().isoformat(),
        "command": command(module, claim),
        **cost,
    }


def _hardware(environment: Mapping[str, Any]) -> str:
    if environment["backend"] == "cpu":
        return f"{environment['processor']}, {environment['cores']} cores"
    devices = environment["devices"]
    return f"{len(devices)} x {devices[0]}"


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough for a command a line."""
    console = Console()
    return console if console.is_terminal else Console(width=200)
