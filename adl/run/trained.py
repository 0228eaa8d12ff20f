"""A trained model in two lines: a run's configuration, its experiment's objects, and what the newest state can do.

    trained = run.load("runs/supervised/classify")
    trained.predict(pictures)  # [B, K]; trained.model, trained.state, trained.config ... by name

What the experiment was built of is loaded again, so its data set must be there as it was. The folder is neither locked
nor changed, so that a run may be looked at while it goes on; the state is on this process's first device, wherever the
run was.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from adl.core import BadInput, Key, PyTree, Rebuildable, did_you_mean, local_path
from adl.run import checkpoint, sweep
from adl.run import folder as files
from adl.run.kept import CHECKPOINTS, chosen_step, kept_steps, recorded, run_below
from adl.run.offer import Offer, Repeats, Text
from adl.run.program import Program


class Trained:
    """A run as it stands after `step` steps. What its experiment offers are its attributes.

    Functions take what their offer `takes`, and by keyword what else they have a default for. They return arrays with
    the leading axes `[values, seeds]` of several runs, or the text of one, and of pictures a list of texts. All take
    `key=`, an integer or a key, 0 by default, which several runs share: the same call gives the same answer.
    """

    def __init__(self, folder: Path, name: str, program: Program, step: int, state: PyTree):
        """Of what was read; `trained_run` reads it."""
        self.folder, self.name, self.program, self.step, self.state = folder, name, program, step, state
        self.config, self.experiment = program.config, program.experiment

    @property
    def offers(self) -> dict[str, Offer]:
        """The functions by name, with what they take and give."""
        return {name: offer for name, offer in self.experiment.offers.items() if isinstance(offer, Offer)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "experiment" not in self.__dict__:
            raise AttributeError(name)
        offers = self.experiment.offers
        if name not in offers:
            there = ", ".join(offers) or "nothing"
            raise AttributeError(f"{self.name} offers {there}, and no {name}{did_you_mean(name, [*offers])}")
        found = self._function(name, offers[name]) if isinstance(offers[name], Offer) else offers[name]
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.experiment.offers]

    def _function(self, name: str, offer: Offer) -> Callable[..., Any]:
        @functools.cache
        def compiled(**more):
            call = functools.partial(self.program.offered(name), **more)
            if isinstance(offer.takes, Repeats):
                call = jax.vmap(call, (0, None), out_axes=self.program.num_axes)
            return self.program.compiled(call)

        def function(inputs: Any, *, key: int | Key = 0, **more: Any) -> Any:
            root = jax.random.key(key) if isinstance(key, int | np.integer) else key
            given = offer.takes.read(inputs)
            if isinstance(offer.takes, Repeats):
                return compiled(**more)(jax.random.split(root, given), self.state)
            found = compiled(**more)(root, self.state, given)
            if isinstance(offer.gives, Text) and not self.program.num_axes:
                texts = [offer.gives.decode(row) for row in np.asarray(found)]
                return texts[0] if isinstance(offer.takes, Text) else texts
            return found

        function.__name__ = name
        function.__doc__ = f"{name}: of {type(offer.takes).__name__.lower()}, as `{self.name}` offers it."
        return function


def trained_run(
    path: str | Path,
    *,
    step: int | str | None = None,
    seed: int | None = None,
    setting: str | None = None,
    module: str | ModuleType | None = None,
    data_dir: str | None = None,
) -> Trained:
    """A finished or a running run, as it stands after so many steps.

    Args:
      path: folder of a run; or one within which a single run lies.
      step: of a kept checkpoint; "best": that which `--best` kept; None: the newest.
      seed: of several runs that of this seed alone; None: all.
      setting: of a sweep that of these values alone, as it is written: "learning_rate=0.001"; None: all.
      module: that defines the experiment, or its name, where `config.json` does not name an importable one.
      data_dir: of TFDS, where the run's own is not here.
    Raises:
      BadInput: if there is no such run, step, seed or setting, its checkpoint is damaged, nothing is trained, or the
        data that it was built of have changed.
    """
    home = run_below(local_path(str(path), "a run's folder"))
    definition, config = recorded(home, module)
    if data_dir is not None:
        config = dataclasses.replace(config, data_dir=data_dir)
    if not hasattr(config, "checkpoint_every") or not config.num_steps:
        raise BadInput(f"{home}: {definition.name} is a study without steps: it trains nothing, and offers nothing")
    kept = kept_steps(home)
    at = chosen_step(home, kept, step, config.best)
    program = Program(definition, dataclasses.replace(config, lift="jit", mesh="", layout="replicated"))
    files.require_data(home, program.sources, "")  # of others, scales and classes would be others, and answers wrong
    state = checkpoint.read(home / CHECKPOINTS / str(at), _like(program), leave_out=config.leave_out)
    if seed is not None or setting is not None:
        program, state = _one_of(home, program, state, seed, setting)
    return Trained(home, definition.name, program, at, state)


def _like(program: Program) -> PyTree:
    """What a checkpoint's state is like: shapes, or where a part of it is not written the first state itself."""
    init, (key, _, _), batch = program.algorithm().init, program.keys(), program.batch(0)
    shapes = init.eval_shape(key, batch)
    nodes = jax.tree.leaves(shapes, is_leaf=lambda node: isinstance(node, Rebuildable))
    whole = program.config.leave_out or any(isinstance(node, Rebuildable) for node in nodes)
    return init(key, batch) if whole else shapes


def _one_of(
    home: Path, program: Program, state: PyTree, seed: int | None, setting: str | None
) -> tuple[Program, PyTree]:
    """One of several runs. Of a sweep's axis or of seeds that are not chosen there must be one alone."""
    config, points = program.config, sweep.grid(program.config)
    spelled = [sweep.spelled(point) for point in points]
    if setting is not None:
        if setting not in spelled:
            there = f"its sweep has {'; '.join(spelled)}" if spelled else "it is no sweep"
            raise BadInput(f"{home}: no setting {setting!r}; {there}{did_you_mean(setting, spelled)}")
        state = jax.tree.map(lambda leaf: leaf[spelled.index(setting)], state)
    elif points:
        raise BadInput(f"{home}: a seed of which setting? its sweep has {'; '.join(spelled)}")
    seeds = range(config.seed, config.seed + config.num_seeds)
    if seed is None and len(seeds) > 1:
        raise BadInput(f"{home}: that setting of which seed? it has {seeds[0]} to {seeds[-1]}")
    if seed is not None and seed not in seeds:
        raise BadInput(f"{home}: no seed {seed}; it has {', '.join(map(str, seeds))}")
    chosen = seeds[0] if seed is None else seed
    if len(seeds) > 1:
        state = jax.tree.map(lambda leaf: leaf[chosen - seeds[0]], state)
    return program.alone(chosen, **(points[spelled.index(setting)] if points else {})), state
