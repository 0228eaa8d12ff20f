"""Other commands, for a page that compares them: each a process of its own, under a budget; and what they left.

A run that is over is not begun again: what a member cost stands in `members.json` beside the folders of the members, so
that the same command draws its page anew in seconds.
"""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl.core import BadInput, local_path
from adl.run import folder as files
from adl.run.claim import words
from adl.run.config import Parts, Pictured, Study
from adl.run.experiment import Definition
from adl.run.kept import run_below
from adl.run.offer import Images, Repeats
from adl.run.record import read_rows
from adl.run.screen import say
from adl.run.signals import RESTART
from adl.run.trained import Trained, trained_run

COSTS = "members.json"


class Member(NamedTuple):
    """A finished run, or one whose budget is spent."""

    trained: Trained
    seconds: float  # of the whole process, from its start; nan of a run that was given
    rows: list[dict[str, Any]]  # of its metrics

    def last(self, metric: str) -> float:
        """The value of a metric where it was written last, of several runs the mean; nan where it never was."""
        found = [row[metric] for row in self.rows if metric in row]
        return float(np.mean(found[-1])) if found else float("nan")

    def sample(self, label: Sequence[int], *, key: int = 0, size: int = 256) -> np.ndarray:
        """`[N, H, W, C]` pictures in [0, 1], of classes `[N]` where the run takes any, so many at a time.

        Raises:
          BadInput: if it offers none.
        """
        if "sample" not in self.trained.offers:
            raise BadInput(
                f"{self.trained.folder}: {self.trained.name} offers no sample, of which a page could be made"
            )
        takes, drawn = self.trained.offers["sample"].takes, []
        for part in range(0, len(label), size):
            some = np.resize(label[part : part + size], size)  # of one shape, so of one program
            asked = size if isinstance(takes, Repeats) else [int(one) for one in some]
            drawn.append(np.asarray(self.trained.sample(asked, key=key + part)))
        return np.concatenate(drawn)[: len(label)]

    def has_classes(self) -> bool:
        """Whether it draws what it is asked for."""
        return not isinstance(self.trained.offers["sample"].takes, Repeats)


def named_folders(given: Sequence[str], taken: Sequence[str] = ()) -> dict[str, str]:
    """Folders by name, as they are given: NAME=FOLDER.

    Args:
      given: the words.
      taken: names of other rows of the page.
    Raises:
      BadInput: for another word, or a name that stands twice or is taken.
    """
    found = {}
    for word in given:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise BadInput(f"--workdirs {word}: it must be NAME=FOLDER, such as mine=runs/gan/image")
        if name in found:
            raise BadInput(f"--workdirs {word}: {name} stands there twice")
        if name in taken:
            raise BadInput(f"--workdirs {word}: the page has a row {name} already; give this one another name")
        found[name] = path
    return found


def same_data(config: Study) -> dict[str, Any]:
    """Fields of a configuration that say which data are read, where they are not as by default."""
    default = {field.name: field.default for field in dataclasses.fields(type(config))}
    return {name: getattr(config, name) for name in _data_fields() if getattr(config, name) != default[name]}


def _data_fields() -> list[str]:
    kinds = (field.name for kind in (Parts, Pictured) for field in dataclasses.fields(kind))
    return [*dict.fromkeys(("dataset", "data_dir", *kinds))]


def place(page: Path, asked: Mapping[str, Any], seconds: float) -> Path:
    """The folder of the members of a page: one for each choice of data and of budget, which pages share.

    Args:
      page: folder of the page's own run.
      asked: of `same_data`.
      seconds: of the budget.
    """
    digest = hashlib.sha256(json.dumps([asked, seconds], sort_keys=True).encode()).hexdigest()[:8]
    return page.with_name(f"members-{digest}")


def outside_features(path: str) -> Callable[[Any], Any]:
    """Features of pictures `[B, H, W, C]` in [0, 1]: a run's `embed` of them, or without one its `predict`.

    Arrays are its leaves, so that they are arguments of a program.

    Args:
      path: of the run's folder.
    Raises:
      BadInput: as `run.load`, or if it offers neither of pictures.
    """
    trained = trained_run(path)
    of = {n: o for n, o in trained.offers.items() if n in ("embed", "predict") and isinstance(o.takes, Images)}
    if not of:
        raise BadInput(f"--features {path}: {trained.name} offers no embed or predict of pictures; a classifier does")
    if trained.program.num_axes:
        raise BadInput(f"--features {path}: it holds several runs, and one is wanted")
    fn = trained.offers["embed" if "embed" in of else "predict"].fn

    def features(state, x):
        pixels = jnp.round(255 * jnp.clip(x, 0, 1)).astype(jnp.uint8)
        return fn(jax.random.key(0), state, pixels).reshape(len(x), -1)

    return Partial(features, trained.state)


def given_member(path: str | Path, *, asked: Mapping[str, Any]) -> Member:
    """A run that is there.

    Args:
      path: of its folder.
      asked: "dataset", and of `same_data`: what it must have learned from.
    Raises:
      BadInput: as `run.load`; or if it learned from something else, is several runs, or offers no sample.
    """
    home = run_below(local_path(str(path), "a run's folder"))
    trained = trained_run(home)
    theirs = {"dataset": trained.config.dataset, **same_data(trained.config)}
    for name in sorted({*asked, *theirs} - {"data_dir"}):
        if asked.get(name) != theirs.get(name):
            its, ours = (of.get(name, "as by default") for of in (theirs, asked))
            raise BadInput(f"{home}: it learned from another --{name} than this page's: {its}, not {ours}")
    if trained.program.num_axes:
        raise BadInput(f"{home}: it holds several runs, of seeds or values, and one is wanted")
    if "sample" not in trained.offers:
        raise BadInput(f"{home}: {trained.name} offers no sample, of which a page could be made")
    return Member(trained, float("nan"), read_rows(home / "metrics.jsonl"))


def started_member(module: str, home: Path, asked: Mapping[str, Any], *, seconds: float) -> Member:
    """A run of an experiment in a folder, for so many seconds at most; what is over is taken as it is.

    At the end of its budget it is told to stop (SIGTERM), which it does after a step, with a checkpoint.

    Args:
      module: of the experiment, "experiments.gan.image".
      home: its folder.
      asked: fields of its configuration, besides the folder; those that it has not are left out.
      seconds: > 0, of the wall.
    Raises:
      BadInput: if it ends with an error, which it has printed, or before its first checkpoint; or if another process
        holds the folder.
    """
    costs = home.parent / COSTS
    known = (files.read_object(costs, "", "delete it") or {}) if costs.exists() else {}
    config = Definition.of(module).config
    own = words({name: value for name, value in asked.items() if name in config.__dataclass_fields__})
    command = [sys.executable, "-m", module, *own, "--workdir", str(home)]
    told = [*command[2:], f"{seconds:g} s"]
    if known.get(home.name, {}).get("asked") != told:
        home.parent.mkdir(parents=True, exist_ok=True)
        say(f"$ python {' '.join(command[1:])}")
        known[home.name] = {"asked": told, "seconds": _spent(command, seconds)}
        files.write(costs, json.dumps(known, indent=1) + "\n")
    seconds = known[home.name]["seconds"]
    data = {name: value for name, value in asked.items() if name in _data_fields()}
    default = Definition.of(module).config.__dataclass_fields__["dataset"].default
    return given_member(home, asked={"dataset": default, **data})._replace(seconds=seconds)


def _spent(command: Sequence[str], seconds: float) -> float:
    """Seconds that a command took; it does not outlive this process."""
    began, told = time.monotonic(), " ".join(command[1:])
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=max(60.0, seconds))
        except subprocess.TimeoutExpired:
            raise BadInput(f"{told} was told to stop, and did not") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode == -signal.SIGTERM:
        raise BadInput(f"--seconds {seconds:g}: {told} had not begun to learn by then; it takes more")
    if process.returncode not in (0, RESTART):
        raise BadInput(f"{told} ended with exit code {process.returncode}")
    return time.monotonic() - began
