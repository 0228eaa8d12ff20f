"""What an experiment is, to the runner: a module that defines it, objects, and the claims that are measured on them."""

import importlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from adl.core import Algorithm, BadInput, Batches, Probe


class Outcome(NamedTuple):
    """What figures are drawn from."""

    history: list[dict[str, Any]]  # rows of metrics.jsonl: {"step": 100, "train/loss": 0.31 or one value a run, ...}
    arrays: Mapping[str, np.ndarray]  # "probe/name" -> the array that a probe returned last, of the first run
    settings: Sequence[str] = ()  # of a sweep: "learning_rate=0.001", one for each value of the runs' first axis

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps `[T]` and values `[T]`, `[T, seeds]`, `[T, settings]` or `[T, settings, seeds]` of one metric."""
        rows = [row for row in self.history if name in row]
        return np.array([row["step"] for row in rows]), np.array([row[name] for row in rows], float)

    def of(self, probe: str) -> dict[str, np.ndarray]:
        """The arrays that one probe returned last, by their names within it."""
        return {name.partition("/")[2]: array for name, array in self.arrays.items() if name.startswith(f"{probe}/")}

    def last(self, name: str) -> float:
        """The value of a metric where it was written last; of several runs their mean."""
        return float(np.mean(self.curve(name)[1][-1]))


class NoData(Batches):
    """The batches `()` of an algorithm that brings its own: chains of a density, players of a game."""

    def __getitem__(self, step: int) -> tuple[()]:
        return ()


class Experiment(NamedTuple):
    """The objects of one experiment.

    The algorithm moves on `batches[step]`, or on what a `World` shows. `probes` look every `eval_every` steps and at
    the end, `final` only at the end (samples, expensive bounds); their `Mean`s are metrics "probe/name", their arrays
    go to the figures, and to what is written for other programs. What has no steps, a study, has no algorithm: its
    configuration is a `Study`, its probes see the state `()`.
    """

    algorithm: Algorithm | None = None
    batches: Batches = NoData()  # batches[step]: a pure function of the step
    probes: Mapping[str, Probe] = {}
    final: Mapping[str, Probe] = {}
    figures: Mapping[str, Callable[[Outcome], Any]] = {}  # name -> matplotlib Figure; a film has `formats`
    writes: Mapping[str, Callable[[Outcome, Path], Any]] = {}  # name of what is made once in the folder -> its maker
    offers: Mapping[str, Any] = {}  # of a trained state: functions (`Offer`) and objects (model, sampler), by name


NEEDED = {  # of a module, in the words of a refusal
    "Config": "a frozen dataclass `Config` that extends run.Config (or run.Study)",
    "build": "a function `build(cfg, loaded, axis) -> run.Experiment`",
}


class Definition(NamedTuple):
    """What a module says of its experiment."""

    build: Callable[[Any, Any, str | None], Experiment]  # (config, what was loaded, axis under pmap) -> objects
    config: type  # a frozen dataclass that extends `Config`, or `Study` where there are no steps
    load: Callable[[Any], Any] = lambda config: None  # config -> what is read or made once, outside every trace
    name: str = ""  # "gan.image"
    command: str = ""  # "python -m experiments.gan.image"
    text: str = ""  # its docstring
    claims: Sequence["Claim"] = ()

    @classmethod
    def of(cls, module: str) -> "Definition":
        """That of a module with `build`, `Config` and perhaps `load`, also where it runs as `__main__`.

        Args:
          module: its `__name__`.
        Raises:
          BadInput: if it lacks one of them.
        """
        found = sys.modules[module] if module in sys.modules else importlib.import_module(module)
        for word, what in NEEDED.items():
            if not hasattr(found, word):
                raise BadInput(f"{found.__file__}: an experiment has {what}; this has no {word}")
        full = found.__spec__.name if found.__spec__ else Path(found.__file__).stem
        more = {"load": found.load} if hasattr(found, "load") else {}
        name = full.removeprefix("experiments.")
        command = f"python -m {full}" if found.__spec__ else f"python {shlex.quote(sys.argv[0])}"
        told = {"text": found.__doc__ or "", "claims": getattr(found, "CLAIMS", ())}
        return cls(found.build, found.Config, name=name, command=command, **told, **more)


class Claim(NamedTuple):
    """A number that this experiment promises, and how it is measured."""

    metric: str  # key of the last row of metrics.jsonl that has it, "test/accuracy"
    protocol: str  # data, split, what is averaged
    overrides: Mapping[str, Any] = {}  # configuration that differs from the default
    at_least: float = -np.inf
    at_most: float = np.inf
    reference: str = ""  # where the bound comes from, and what others reach
    long: bool = False  # only with `verify --long`
    needs: tuple[str, ...] = ()  # "gpu", "extra bench", "data mnist": `verify` skips by that name where it is not there
    reduce: Literal["mean", "worst"] = "mean"  # of the seeds: which value the bound is about; worst: each of them

    def value(self, seeds: np.ndarray) -> float:
        """The value of the seeds' `[S]` that the bound is about; nan if one of them is."""
        if self.reduce == "mean":
            return float(np.mean(seeds))
        return float(seeds[np.argmin(np.minimum(seeds - self.at_least, self.at_most - seeds))])  # nan is the least

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the promise; nan never does."""
        return bool(self.at_least <= value <= self.at_most)
