"""Configuration: ranges, sweeps, and what may differ on resuming."""

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pytest

from adl import run
from adl.core import BadInput, optimizer
from adl.data import views
from adl.run.config import default_workdir, differences
from adl.run.flags import check, parse
from adl.run.sweep import swept_values
from adl.sampling import langevin

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Config(run.Config):
    """An experiment's own fields."""

    learning_rate: run.Positive = 1e-3  # of Adam
    decay: run.Rate = 0.9  # of the average
    width: run.Count = 8  # hidden units


def read(*words: str) -> Config:
    return parse(Config, words, prog="python -m experiments.x", description="")


def test_fields_reach_the_configuration():
    config = read("--learning_rate", "0.1", "--lift", "pmap", "--sweep", "decay=0.1,0.2")
    assert config == Config(learning_rate=0.1, lift="pmap", sweep=("decay=0.1,0.2",))


@dataclass(frozen=True)
class Mixed(run.Averaged, run.Chained, run.Views, run.Config):
    """All that recurs."""

    shift: run.NonNegative = 0.5


def test_what_recurs_is_taken_as_it_is_by_whom_it_is_for():
    config = Mixed(learning_rate=0.1, ema=0.5)
    images = jax.numpy.ones((2, 4, 4, 1))
    assert optimizer.adam(**config.adam).init({"x": images})[-1].average["x"].shape == images.shape
    assert config.adam == {"learning_rate": 0.1, "weight_decay": 0.0, "average": 0.5}
    assert config.view["shift"] == 0.5
    assert views.random_affine(jax.random.key(0), images, **config.view).shape == images.shape
    assert config.chains == {"num_chains": 1536, "restart": 0.05, "alpha": 0.01}
    still = langevin.langevin(jax.random.key(0), images, jax.numpy.zeros_like, **config.walk, num_steps=0)
    np.testing.assert_array_equal(still, images)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learning_rat", "1"], "Unrecognized options: --learning_rat, 1; Perhaps you meant: --learning_rate FLOAT"),
        (["--lift", "tmap"], "--lift tmap: it must be one of auto, jit, pmap, shard; did you mean pmap"),
        (["--seed", "x"], "--seed x: it must be an integer >= 0"),
        (["--seed", "²"], "--seed ²: it must be an integer >= 0"),
        (["--seed", "1", "--seed=2"], "--seed: it is given twice"),
        (["--sweep", "decay=0.1,0.2", "--sweep", "width=1,2"], "--sweep: it is given twice.*all its words follow one"),
        (["--lr", "1"], "Unrecognized options: --lr, 1; did you mean learning_rate?"),
        (["stray"], "Unrecognized options: stray"),
    ],
)
def test_unknown_words_are_told_in_one_line(words, message):
    with pytest.raises(BadInput, match=message) as error:
        read(*words)
    assert "\n" not in str(error.value) and "│" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 0}, "--num_steps 0: it must be >= 1"),
        ({"seed": -1}, "--seed -1: it must be >= 0"),
        ({"dataset": "digits"}, "--dataset digits: this experiment makes its own data"),
        ({"learning_rate": 0.0}, "--learning_rate 0.0: it must be > 0"),
        ({"learning_rate": float("nan")}, "--learning_rate nan: it must be > 0"),
        ({"decay": 1.0}, r"--decay 1.0: it must be in \[0, 1\)"),
        ({"sweep": ("learning_rat=1",)}, "did you mean learning_rate"),
        ({"sweep": ("lr=1",)}, "lr is not one of .*learning_rate"),
        ({"sweep": ("workdir=a,b",)}, "workdir is not one of"),
        ({"sweep": ("decay=a",)}, "--sweep decay=a: --decay a: it must be a number"),
        ({"sweep": ("decay=0.5,2",)}, "--sweep decay=0.5,2: --decay 2: it must be"),
        ({"sweep": ("decay=",)}, "it must be decay=value,value,..."),
        ({"sweep": ("decay=0.1,0.10",)}, "a value stands there twice"),
        ({"sweep": ("decay=0.1,0.2", "decay=0.3")}, "decay is swept twice"),
        ({"sweep": ("width=4,0",)}, "--width 0: it must be >= 1"),
        ({"num_steps": 10**30}, "it must be at most 2147483647"),
        ({"seed": 2**31 - 1, "num_seeds": 2}, "--seed 2147483647 --num_seeds 2: the last seed must be at most"),
        ({"learning_rate": float("inf")}, "it must be > 0 and finite"),
        ({"learning_rate": 1e-30}, "it must be > 0, and of magnitude 1e-18"),
        ({"decay": 1 - 1e-12}, r"it must be in \[0, 1\)"),  # in float32 it is 1
        ({"best": "test/loss:mx"}, "--best test/loss:mx: it must be METRIC, METRIC:max, or empty"),
        ({"best": ":max"}, "--best :max: it must be METRIC"),
        ({"leave_out": ("",)}, "--leave_out '': it must not be empty"),
        ({"lift": "jit", "layout": "fsdp"}, "--layout fsdp: only --lift shard has a layout"),
        ({"mesh": "data=²"}, "--mesh data=²: it must be data=N,model=M"),
        ({"mesh": "data=2,"}, "--mesh data=2,: it must be data=N,model=M"),
        ({"figure_format": "png,gif"}, "--figure_format png,gif: it must be png, pdf, svg"),
    ],
)
def test_out_of_range_is_one_line(change, message):
    with pytest.raises(BadInput, match=message) as error:
        check(dataclasses.replace(Config(), **change))
    assert "\n" not in str(error.value)


def test_two_sweeps_are_a_grid():
    values = swept_values(Config(sweep=("decay=0.1,0.2", "learning_rate=1,2,3")))
    np.testing.assert_allclose(values["decay"], [0.1, 0.1, 0.1, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(values["learning_rate"], [1, 2, 3, 1, 2, 3])
    assert swept_values(Config()) is None


def test_only_what_decides_the_numbers_must_agree():
    saved = json.loads(json.dumps(dataclasses.asdict(Config())))
    free = dataclasses.replace(Config(), eval_every=3, checkpoint_every=2, lift="shard", steps_per_call=4)
    assert differences(dataclasses.replace(free, figure_format="pdf"), saved) == {}
    assert differences(dataclasses.replace(Config(), num_steps=7), saved) == {"num_steps": (1000, 7)}
    assert differences(dataclasses.replace(Config(), width=9), saved) == {"width": (8, 9)}
    assert differences(Config(), {**saved, "colour": 1}) == {"colour": (1, "(no such field)")}


def test_default_folders_never_meet():
    assert str(default_workdir(Config(), "x")) == "runs/x"
    assert default_workdir(Config(num_steps=3), "x") == default_workdir(Config(), "x")
    others = {default_workdir(Config(**change), "x") for change in ({"width": 9}, {"seed": 1}, {"width": 10})}
    assert len(others) == 3


def test_a_terminal_without_unicode_gets_the_same_line():
    """In a process of its own, whose output is ASCII: the frame of hyphens must not take the message with it."""
    command = [sys.executable, "-m", "experiments.autoencoder.vae", "--learning_rte", "3"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "--learning_rte" in ended.stderr and "--learning_rate" in ended.stderr
