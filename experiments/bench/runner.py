"""What the runner costs beside a bare jitted loop, on a step of about 1 ms."""

import json
import tempfile
import time
from pathlib import Path

import jax

from adl.core import jitted
from adl.run.experiment import Definition, Experiment
from adl.run.fit import fit
from adl.run.program import Program
from experiments.bench import Contenders
from experiments.supervised import classify


def contenders(num_steps: int = 2000) -> Contenders:
    """A step of about 1 ms (an MLP on digits): a bare jitted loop, and the runner with its records and checkpoints."""
    config = classify.Config(model="mlp", hidden_width=512, augment="none", num_steps=num_steps + 1, eval_every=10**6)
    program = Program(Definition(step_alone, classify.Config), config)
    experiment = program.experiment
    algorithm, batches = jitted(experiment.algorithm), experiment.batches
    key = jax.random.key(0)

    def bare() -> float:
        state = algorithm.init(key, batches[0])
        state, _ = algorithm.step(key, state, batches[0])
        started = time.perf_counter()
        for step in range(num_steps):
            state, metrics = algorithm.step(jax.random.fold_in(key, step), state, batches[step])
        jax.block_until_ready((state, metrics))
        return 1e3 * (time.perf_counter() - started) / num_steps

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            fit(program, Path(folder), "bench")
            return json.loads((Path(folder) / "timing.json").read_text())["ms_per_step"]

    return {"bare jitted loop": bare, "runner": run}


def step_alone(config: classify.Config, loaded: None, axis: str | None) -> Experiment:
    """The experiment without what looks at it."""
    return classify.build(config, loaded, axis)._replace(probes={}, final={}, figures={})
