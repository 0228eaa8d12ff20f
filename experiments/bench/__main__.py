"""Benchmarks: contenders on the same work, interleaved in one process, medians and ratios.

`python -m experiments.bench NAME...` runs `experiments/bench/NAME.py`, or all of them. Where that says in `WORK` what
is done in a unit, rates are told, too. Peers beyond scikit-learn come with the extra `bench`.
"""

import importlib
import pkgutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from adl.core import BadInput, did_you_mean
from adl.run.machine import prepare
from experiments import bench

NAMES = [
    module.name
    for module in pkgutil.iter_modules(bench.__path__)
    if not module.name.startswith("__") and not module.ispkg
]


@dataclass(frozen=True)
class Config:
    """What to time, and how often."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # benchmarks; none: all
    rounds: int = 7  # times each contender runs, in turn


def compare(name: str, rounds: int) -> Table:
    """Runs the contenders of a benchmark in turn, after one round to warm up; their medians, spreads and ratios.

    Raises:
      BadInput: if there is no such benchmark, or a peer is not installed.
    """
    if name not in NAMES:
        raise BadInput(f"no benchmark {name}; there are {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    try:
        module = importlib.import_module(f"experiments.bench.{name}")
        contenders = module.contenders()
    except ModuleNotFoundError as error:
        raise BadInput(
            f"the benchmark {name} needs {error.name.partition('.')[0]}: pip install -e '.[bench]'"
        ) from None
    for contender in contenders.values():
        contender()
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, run in contenders.items():
            times[contender].append(run())
    reference = np.array(next(iter(times.values())))
    rates = getattr(module, "WORK", {})
    columns = [
        "contender",
        "median ms",
        "min",
        "max",
        "speed against the first",
        *(f"{what} a second" for what in rates),
    ]
    table = Table(*columns, title=f"{name}, {rounds} rounds")
    for contender, values in times.items():
        ratio = statistics.median(reference / np.array(values))
        median = statistics.median(values)
        numbers = [median, min(values), max(values), ratio, *(1e3 * count / median for count in rates.values())]
        table.add_row(contender, *(f"{number:.4g}" for number in numbers))
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; exit code 2 where a benchmark cannot run."""
    config = tyro.cli(Config, args=argv, prog="python -m experiments.bench", description=__doc__, use_underscores=True)
    prepare()
    try:
        for name in config.names or NAMES:
            Console().print(compare(name, config.rounds))
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
