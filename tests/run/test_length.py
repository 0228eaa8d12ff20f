"""What a resumed run may change enters no number: how far, where, and how often to look."""

import dataclasses
import importlib
import re
from pathlib import Path

import jax
import pytest

import experiments
from adl.run.claim import discover
from adl.run.config import FREE, Study

ROOT = Path(experiments.__path__[0])


def config(name: str) -> type[Study]:
    return importlib.import_module(f"experiments.{name}").Config


ANY_LENGTH = [name for name in discover(experiments) if config(name).any_length]


@pytest.mark.parametrize("name", ANY_LENGTH)
def test_nothing_computed_reads_the_length(name):
    """Where an experiment says so: its data and objects, its first state, steps, probes."""
    module = importlib.import_module(f"experiments.{name}")

    class Endless(module.Config):
        def __getattribute__(self, field):
            assert field != "num_steps", "a longer run would be another one"
            return super().__getattribute__(field)

    cfg = dataclasses.replace(module.Config(), **{**module.SMOKE, "num_steps": 3})
    object.__setattr__(cfg, "__class__", Endless)
    built = module.build(cfg, module.load(cfg) if hasattr(module, "load") else None, None)
    key, batch = jax.random.key(0), built.batches[0]
    state = jax.eval_shape(built.algorithm.init, key, batch)
    jax.eval_shape(built.algorithm.step, key, state, built.batches[1])
    for probe in (*built.probes.values(), *built.final.values()):
        jax.eval_shape(probe, key, state)


def test_some_say_so():
    assert {"diffusion.image", "latent.mixture", "graphical.kalman"} <= {*ANY_LENGTH}
    assert not {"supervised.classify", "selfsup.byol", "sampling.anneal", "rl.ppo"} & {*ANY_LENGTH}


def test_no_experiment_reads_where_or_how_often_to_look():
    """`data_dir` says where the data is, and is read to find them."""
    read = re.compile(
        rf"\b(cfg|config)\.({'|'.join(field for field in FREE if field not in ('num_steps', 'data_dir'))})\b"
    )
    found = {str(path): read.findall(path.read_text()) for path in ROOT.glob("[a-z]*/[a-z]*.py")}
    assert len(found) > 30 and not [path for path, fields in found.items() if fields and "/bench/" not in path]
