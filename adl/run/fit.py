"""The loop. Its order is fixed: probe, save, next batch, step."""

import contextlib
import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from adl.core import BadInput, Mean, PyTree, did_you_mean, layout, step_keys, tree
from adl.run import folder as files
from adl.run import processes, screen, start, sweep
from adl.run.checkpoint import Checkpoints
from adl.run.config import Config, figure_formats
from adl.run.experiment import Outcome
from adl.run.program import Program
from adl.run.record import Onlooker, Records, byte_size, environment
from adl.run.seal import set_aside_damaged
from adl.run.signals import Signals
from adl.run.window import Tally, plain


class RunFailed(RuntimeError):
    """The run cannot go on; the message is one line."""


def fit(program: Program, folder: Path, name: str) -> Outcome:
    """Runs an experiment to its end in `folder`, from the newest checkpoint there.

    Args:
      program: the lifted experiment.
      folder: an open run folder.
      name: of the experiment, for the display.

    Returns:
      The rows, and the arrays of the last probes.

    Raises:
      RunFailed: if the loss is not finite, or a checkpoint cannot be written.
      Interrupted: after SIGTERM or Ctrl-C.
    """
    run = _Run(program, folder, name)
    with Signals() as signals, contextlib.closing(run.records):
        try:
            run.describe(name)
            run.train(signals)
            with signals.at_once(f"stopped after the last step, which is saved; the same command draws {folder} anew"):
                run.conclude()
        except OSError as error:
            raise RunFailed(f"{folder}: {error.strerror or error}; {run.last_good()}") from error
    run.checkpoints.close()
    return run.outcome()


class _Run:
    """What changes while a run goes on."""

    def __init__(self, program: Program, folder: Path, name: str):
        self.program, self.config, self.folder = program, program.config, folder
        self.init_key, self.step_root, self.probe_root = program.keys()
        processes.from_first("damage", lambda: str(screen.say(*set_aside_damaged(folder / "checkpoints"))))
        self.checkpoints = Checkpoints(folder / "checkpoints", best=self.config.best, leave_out=self.config.leave_out)
        self.state = program.algorithm().init(self.init_key, program.batch(0))
        self.resumed = self.checkpoints.latest()
        if self.resumed is not None:
            self.state = self.checkpoints.restore(self.resumed, self.state)
        elif self.config.init_from:
            self.state = start.first_state(folder, program, self.state)
        self.step = self.resumed or 0
        beside = self.checkpoints.beside(self.step)
        self.finite = program.compiled(tree.finite)
        self.was_finite = np.asarray(self.finite(self.state))
        if self.step > self.config.num_steps:
            raise BadInput(f"--num_steps {self.config.num_steps}: {folder} is at step {self.step} already")
        if self.resumed is not None and processes.index() == 0:
            verb = "resumes at" if self.step < self.config.num_steps else "looks again at"
            screen.say(f"{verb} step {self.step} of {self.config.num_steps}: {folder}")
        self.is_first = processes.index() == 0
        self.records = (
            Records(
                folder,
                start=self.resumed,
                mark=beside.get("records", {}),
                num_steps=self.config.num_steps,
                name=name,
                settings=self.settings(),
            )
            if self.is_first
            else Onlooker()
        )
        self.window = Tally(beside.get("window", {}))
        self.arrays: dict[str, np.ndarray] = {}
        self.probes = {name: program.probe(name, final=False) for name in program.experiment.probes}

    def describe(self, name: str) -> None:
        """What runs in the folder from here on, once nothing is left that could be refused."""
        if self.is_first:
            files.describe(self.folder, self.config, name, self.program.sources)
            files.write(self.folder / files.ENVIRONMENT, json.dumps(environment(), indent=1) + "\n")

    def train(self, signals: Signals) -> None:
        config, previous = self.config, self.step
        segment, clock = self.program.segment, _Clock()
        checkpoint_every = -(-config.checkpoint_every // segment) * segment
        while True:
            last = self.step == config.num_steps

            def due(every, last=last, previous=previous):
                return last or self.step == 0 or self.step // every > previous // every

            stopped = signals.reached()
            if self.step != self.resumed:
                row: dict[str, np.ndarray] = {}
                if due(config.log_every) or due(config.eval_every) or due(checkpoint_every):
                    row = self.write_row(probe=due(config.eval_every))
                if (due(checkpoint_every) and self.step > 0) or (stopped and self.step % segment == 0):
                    self.save(row)
            if stopped:
                self.checkpoints.wait()
                self.records.finish(self.step)
                saved = self.checkpoints.latest() or 0
                where = (
                    "saved" if saved == self.step else f"where no world begins; the last that did is at step {saved}"
                )
                raise signals.interruption(
                    f"stopped at step {self.step}, {where}; the same command resumes {self.folder}"
                )
            if last:
                break
            n = min(config.steps_per_call, config.num_steps - self.step)
            started = time.perf_counter()
            batch = self.program.batch(self.step, n, self.state)
            waited = time.perf_counter() - started
            key = step_keys(self.step_root, self.step, n if n > 1 else None)
            self.state, metrics = self.program.algorithm(n).step(key, self.state, batch)
            self.window.add(self.step, n, metrics)
            previous, self.step = self.step, self.step + n
            clock.add(steps=n, data=waited)
            self.records.advance(self.step)
        self.records.finish(self.step)
        if self.is_first:
            clock.report(self.folder, self.state)

    def write_row(self, *, probe: bool) -> dict[str, np.ndarray]:
        """The row of this step: training metrics since the last row, and what the probes see."""
        row = {f"train/{name}": value for name, value in self.drain().items()}
        if probe:
            for name, looked in self.probes.items():
                row |= self.look(name, looked)
            self.require_known_best(row)
        if row:
            self.records.write(self.step, row | self.anew(row))
            self.require_finite(self.step, {k: v for k, v in row.items() if not k.startswith("train/")})
        return row

    def anew(self, row: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Of a run that was resumed without parts of its state: the step at which these began anew."""
        shape = np.shape(next(iter(row.values())))
        return {f"anew/{name}": np.full(shape, self.resumed) for name in self.config.leave_out if self.resumed}

    def require_known_best(self, row: Mapping[str, np.ndarray]) -> None:
        """Refuses a metric of `--best` that no probe measures; the default may be absent."""
        name = self.config.best.removesuffix(":max")
        if name and name not in (*row, Config.best) and not name.startswith("train/"):
            raise BadInput(f"--best {self.config.best}: probes measure {', '.join(row)}{did_you_mean(name, [*row])}")

    def look(self, name: str, probe: Any) -> dict[str, np.ndarray]:
        """Means of one probe, as values; its arrays are kept for the figures."""
        results = jax.device_get(probe(step_keys(self.probe_root, self.step), self.state))
        runs = (self.config.num_seeds > 1) + bool(self.config.sweep)
        arrays = {key: value for key, value in results.items() if not isinstance(value, Mean)}
        self.arrays |= {f"{name}/{key}": np.asarray(value)[(0,) * runs] for key, value in arrays.items()}
        return {f"{name}/{key}": _value(value) for key, value in results.items() if isinstance(value, Mean)}

    def drain(self) -> dict[str, np.ndarray]:
        """Training metrics since the last row, merged, from the device."""
        means = self.fetched()
        self.window.clear()
        return {key: _value(Mean(mean.total.sum(0), mean.count.sum(0))) for key, mean in means.items()}

    def fetched(self) -> dict[str, Mean]:
        """Means `[W, runs...]` of the calls since the last row, whose losses are finite."""
        means, calls = self.window.fetched()
        for first, n, of in calls:
            self.require_finite(first, {key: _judged(mean) for key, mean in of.items()}, steps=n)
        return means

    def require_finite(self, step: int, values: Mapping[str, np.ndarray], *, steps: int = 1) -> None:
        """Stops the run where a loss is not finite; in a sweep, where no value is left whose loss is."""
        for name, value in values.items():
            finite = np.isfinite(value)
            lost = not finite.any() if self.config.sweep else not finite.all()
            if lost and name.rpartition("/")[2] == "loss":
                where = f"step {step}" if steps == 1 else f"steps {step} to {step + steps - 1}"
                raise RunFailed(f"{name} is {_spelled(value)} at {where}; {self.last_good()}")

    def save(self, row: Mapping[str, np.ndarray]) -> None:
        """A checkpoint of this step, unless what was finite at the start no longer is: a loss tells one step late."""
        if not self.config.sweep and (self.was_finite & ~np.asarray(self.finite(self.state))).any():
            raise RunFailed(f"the state is no longer finite after {self.step} steps; {self.last_good()}")
        beside = {"records": self.records.mark(), "window": plain(self.fetched())}
        self.checkpoints.save(self.step, self.state, row, beside)

    def last_good(self) -> str:
        """One clause on where a next run would start."""
        with contextlib.suppress(Exception):  # the one being written may well be the last good one
            self.checkpoints.wait()
        step = self.checkpoints.latest()
        if step is None or not (self.folder / "checkpoints" / str(step)).exists():
            return "there is no checkpoint"
        return f"the last good checkpoint is step {step} ({self.folder / 'checkpoints' / str(step)})"

    def outcome(self) -> Outcome:
        """What was measured so far."""
        return Outcome(self.records.history, self.arrays, self.settings())

    def settings(self) -> list[str]:
        """Of a sweep: what its values are, along the first axis of what was measured."""
        return [sweep.spelled(point) for point in sweep.grid(self.config)]

    def conclude(self) -> None:
        """Final probes and figures."""
        self.checkpoints.wait()
        row: dict[str, np.ndarray] = {}
        for name in screen.phases("looking at", list(self.program.experiment.final)):
            row |= self.look(name, self.program.probe(name, final=True))
        if self.resumed == self.step:  # a complete run: its rows are there, its figures want the arrays
            for name, looked in self.probes.items():
                self.look(name, looked)
        if row and not set(row) <= set().union(*(r for r in self.records.history if r["step"] == self.step)):
            self.records.write(self.step, row | self.anew(row))
        if not self.is_first:
            return
        outcome = self.outcome()
        (self.folder / "figures").mkdir(exist_ok=True)
        figures = self.program.experiment.figures
        for name in screen.phases("drawing", list(figures)):
            figure = figures[name](outcome)
            for ending in getattr(figure, "formats", figure_formats(self.config)):
                save = functools.partial(figure.savefig, dpi=144, format=ending)
                files.write(self.folder / "figures" / f"{name}.{ending}", save)
        writes = {name: at for name, at in self.program.experiment.writes.items() if not (self.folder / name).exists()}
        for name in screen.phases("writing", list(writes)):
            writes[name](outcome, self.folder / name)
        if self.config.sweep:
            last = {name: value for row in self.records.history for name, value in row.items() if name != "step"}
            screen.say(*screen.row(f"step {self.step}", dict(sorted(last.items())), self.settings()))
        screen.say(f"done: {self.folder}")


class _Clock:
    """Time of the steps and of their data, from the second call on: the first compiles."""

    def __init__(self):
        self.data, self.steps, self.started = 0.0, 0, None

    def add(self, *, steps: int, data: float) -> None:
        if self.started is None:
            self.started = time.perf_counter()
        else:
            self.steps, self.data = self.steps + steps, self.data + data

    def report(self, folder: Path, state: PyTree) -> None:
        """Says, and keeps in `timing.json`, what a step took, its host spent on the batch, and its state weighs."""
        if not self.steps:
            return
        step, batch = ((time.perf_counter() - self.started) / self.steps, self.data / self.steps)
        whole, held = sum(leaf.nbytes for leaf in jax.tree.leaves(state)), layout.bytes_per_device(state)
        timing = {
            "steps": self.steps,
            "ms_per_step": 1e3 * step,
            "host_ms_per_batch": 1e3 * batch,
            "state_bytes": whole,
            "state_bytes_per_device": held,
        }
        files.write(folder / "timing.json", json.dumps(timing) + "\n")
        screen.say(
            f"{self.steps} steps of {1e3 * step:.3g} ms (probes and checkpoints included); "
            f"host time for a batch {1e3 * batch:.2g} ms; "
            f"state {byte_size(held)} a device, {byte_size(whole)} in all"
        )


def _value(mean: Mean) -> np.ndarray:
    """Value `[runs...]` of a fetched mean; nan where nothing was counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(mean.total) / np.asarray(mean.count)


def _judged(mean: Mean) -> np.ndarray:
    """Its value, but its total where nothing was counted: a phase that does not report the loss is no failure."""
    return np.where(np.asarray(mean.count) == 0, mean.total, _value(mean))


def _spelled(value: np.ndarray) -> str:
    return str(value) if np.ndim(value) == 0 else np.array2string(value, threshold=8)
