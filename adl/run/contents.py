"""What there is: a package of experiments in a table, a line an experiment, or all that one of them claims."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from adl.core import BadInput, did_you_mean
from adl.run.claim import asked, bound, claiming, command, described, discover, imported, key, member, read_measured
from adl.run.record import byte_size
from adl.run.screen import WIDTH


def listing(package: ModuleType, names: Sequence[str] = ()) -> list[str]:
    """Lines of at most 100 characters, one an experiment; of named ones all claims, with commands to be copied.

    Args:
      package: of experiments.
      names: of experiments in it; none: all, in short.
    Raises:
      BadInput: for an unknown name.
    """
    modules = chosen_of(package, names)
    if names:
        return [line for name, module in modules.items() for line in _claims(name, module)]
    head = f"{'experiment':<22}{'seconds':>8}{'GiB':>6}  {'hold':<6}measured last (and claimed)"
    foot = f"All claims of one, and their commands: {asked(package)} list NAME"
    return [head, *(_in_short(name, module) for name, module in modules.items()), "", foot]


def _in_short(name: str, module: ModuleType) -> str:
    """An experiment with what its first measured claim says and its run costs, and how many of all hold."""
    measured = read_measured(module)
    claim = next((claim for claim in module.CLAIMS if key(claim) in measured), module.CLAIMS[0])
    record = measured.get(key(claim))
    hold = f"{sum(bool(measured.get(key(claim), {}).get('holds')) for claim in module.CLAIMS)}/{len(module.CLAIMS)}"
    if record is None:
        return _cut(f"{name:<22}{'':>14}  {hold:<6}not yet: {bound(claim)}")
    memory = f"{record['peak_memory_mib'] / 1024:.1f}" if record["peak_memory_mib"] else ""
    low, high = claim.at_least, claim.at_most
    wanted = f"{low:g} to {high:g}" if low > -math.inf and high < math.inf else bound(claim).partition(claim.metric)[2]
    error = f" ± {record['standard_error']:.2g}" if record["standard_error"] is not None else ""
    value = f"{claim.metric} {record['value']:.4g}{error} ({wanted.strip()})"
    return _cut(f"{name:<22}{record['seconds']:>8,}{memory:>6}  {hold:<6}{value}")


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _claims(name: str, module: ModuleType) -> list[str]:
    """All claims of an experiment, each with what was measured and its command in a line of its own."""
    lines, measured = [f"{name}: {(module.__doc__ or '').partition(chr(10))[0]}"], read_measured(module)
    for claim in module.CLAIMS:
        record = measured.get(key(claim))
        told = {
            "measured": described(record).replace("\n", ", ") if record else "not yet",
            "cost": f"{record['seconds']:,} s {_memory(record)}" if record else "",
            "protocol": claim.protocol,
            "reference": claim.reference,
            "needs": ", ".join(claim.needs),
        }
        lines += ["", bound(claim) + " (long)" * claim.long]
        for what, text in told.items():
            lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {what:<11}", subsequent_indent=" " * 13)
        lines.append(f"  {command(module, claim)}")
    return lines


def families(package: ModuleType) -> str:
    """Markdown table: a row for each folder of experiments, what it shows, and how many of its claims hold."""
    rows = ["| run | shows | experiments | claims that held when last measured |", "|---|---|---|---|"]
    modules = discover(package)
    for family in dict.fromkeys(name.partition(".")[0] for name in modules):
        own = {name.partition(".")[2]: module for name, module in modules.items() if name.startswith(f"{family}.")}
        alone = modules.get(family)  # a module of the package itself
        own = own or {family: alone}
        measured = [read_measured(module).get(key(claim)) for module in own.values() for claim in module.CLAIMS]
        held = f"{sum(bool(record and record['holds']) for record in measured)} of {len(measured)}"
        shown = alone or imported(f"{package.__name__}.{family}")
        what = (shown.__doc__ or "").partition("\n")[0]
        names = ", ".join(f"`{name}`" for name in own)
        rows.append(f"| `python -m {shown.__name__}` | {what} | {names} | {held} |")
    return "\n".join(rows)


def _memory(record: Mapping[str, Any]) -> str:
    """What a run took at most; nothing where it was not measured."""
    return byte_size(record["peak_memory_mib"] * 2**20) if record["peak_memory_mib"] else ""


def chosen_of(package: ModuleType, names: Sequence[str]) -> dict[str, ModuleType]:
    """The named experiments of a package; all where none is named.

    Raises:
      BadInput: for an unknown name.
    """
    there = claiming(package)
    for name in names:
        if name not in there:
            raise BadInput(f"no experiment {name}; there are {', '.join(there)}{did_you_mean(name, there)}")
    return {name: member(package, name) for name in names or there}
