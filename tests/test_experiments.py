"""Every experiment, small, under every lift; and the promise that a killed run goes on bit for bit."""

import doctest
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import experiments
from adl import run
from adl.core import BadInput
from adl.run import sweep
from adl.run.checkpoint import Checkpoints
from adl.run.claim import discover, key, read_measured, words
from adl.run.offer import VERBS
from adl.run.record import read_rows

ROOT = Path(__file__).parent.parent
NAMES = list(discover(experiments))
DEVICES = 2  # of the eight: studies run whole on each, on the cores that there are
LIFTS = {
    "jit": {"lift": "jit"},  # with all figures of one run
    "everything": {  # and of many
        "lift": "shard",
        "layout": "fsdp",
        "num_seeds": 2,
        "sweep": True,
        "steps_per_call": 2,
        "precision": "bfloat16",
    },
    "pmap": {"lift": "pmap"},
    "shard": {"lift": "shard", "steps_per_call": 2},
    "fsdp": {"lift": "shard", "layout": "fsdp"},
    "seeds and values": {"lift": "jit", "num_seeds": 2, "sweep": True, "precision": "bfloat16"},
}
ALWAYS = ("jit", "everything")  # and the others under `-m full`
# Of each kind of state one that is loaded again by default: networks, two of them, with chains, games, moments.
LOADED = ("supervised.classify", "gan.grid", "energy.density", "rl.ppo", "latent.mixture", "sampling.nuts")


@pytest.fixture
def few_devices(monkeypatch):
    few = jax.devices()[:DEVICES]
    monkeypatch.setattr(jax, "devices", lambda *_: few)


@pytest.mark.usefixtures("few_devices")
@pytest.mark.parametrize("lift", [pytest.param(x, marks=() if x in ALWAYS else pytest.mark.full) for x in LIFTS])
@pytest.mark.parametrize("name", NAMES)
def test_runs_small(name, lift, tmp_path, monkeypatch):
    module = importlib.import_module(f"experiments.{name}")
    fields = module.Config.__dataclass_fields__
    options = {key: value for key, value in LIFTS[lift].items() if key in fields}
    if "segment" in fields:  # a world outside the program serves one run, and is asked each step
        options = {key: value for key, value in options.items() if key not in ("num_seeds", "sweep", "steps_per_call")}
    if "cfg.precision" not in Path(module.__file__).read_text():  # and the flag would be refused
        options.pop("precision", None)
    swept = getattr(module, "SWEEP", "learning_rate=1e-3,1e-4" if "learning_rate" in fields else None)
    if options.pop("sweep", False) and swept:
        options["sweep"] = swept
    folder = Path(tmp_path, "runs", *name.split("."))
    run.main(module.__name__, ["--workdir", str(folder), *words(module.SMOKE), *words(options)])
    last: dict = {}
    for row in read_rows(folder / "metrics.jsonl"):
        last |= row
    assert last["step"] == module.SMOKE.get("num_steps", 0)
    runs = (2,) * ("sweep" in options) + (2,) * ("num_seeds" in options)
    for metric, value in last.items():
        assert metric == "step" or np.shape(np.array(value, float)) == runs, metric
    learned = [last[name] for name in ("train/loss", "train/potential") if name in last]
    assert (learned or "num_steps" not in fields) and np.isfinite(learned).all()
    if lift in ALWAYS:
        for figure in (folder / "figures").iterdir():
            assert figure.stat().st_size > 3000
    monkeypatch.chdir(tmp_path)
    if lift == "jit":
        uses_the_example(module, folder)
    elif (
        "num_seeds" in options
        and "num_steps" in fields
        and (lift == "seeds and values" or (lift == "everything" and name in LOADED))
    ):
        loads_one_of_many(folder, options)


def uses_the_example(module, folder: Path) -> None:
    """The line of the docstring, on this run; the folder stays as it is. A study offers nothing, and says so."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    examples = doctest.DocTestParser().get_examples(module.__doc__)
    if not hasattr(module.Config(), "checkpoint_every") or not module.Config().num_steps:
        assert not examples
        with pytest.raises(BadInput, match="a study without steps"):
            run.load(folder)
        return
    (example,) = examples
    trained = run.load(folder)
    assert trained.offers and set(trained.offers) <= set(VERBS)
    given = {"run": run, "places": np.zeros((3, 2)), "pictures": None, "clips": None, "rows": None, "sounds": None}
    for offer in trained.offers.values():
        kind = offer.takes
        if isinstance(kind, run.Images | run.Films):
            noun = "pictures" if isinstance(kind, run.Images) else "clips"
            given[noun] = np.random.default_rng(0).integers(0, 256, (2, *kind.shape)).astype(np.uint8)
        if isinstance(kind, run.Sounds):
            given["sounds"] = np.ones((2, 9), np.int16)
        if isinstance(kind, run.Cells):
            given["rows"] = {name: np.arange(2) for name in kind.columns}
    exec(example.source, given)
    answer = given[example.source.partition(" = ")[0]]
    assert isinstance(answer, str) or (np.shape(answer)[0] > 0 and np.isfinite(np.asarray(answer)).all())
    assert answer if isinstance(answer, str) else np.asarray(answer).dtype == np.float32
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def loads_one_of_many(folder: Path, options: dict) -> None:
    """What many seeds and values learned, perhaps under fsdp, on one device; all, and one alone."""
    every = run.load(folder)
    runs = (2,) * ("sweep" in options) + (2,) * ("num_seeds" in options)
    points = sweep.grid(every.config)
    one = run.load(folder, seed=1, setting=sweep.spelled(points[0]) if points else None)
    assert every.program.num_axes == len(runs) and one.program.num_axes == 0
    at = (0, 1) if points else (1,)
    for many, alone in zip(jax.tree.leaves(every.state), jax.tree.leaves(one.state), strict=True):
        assert np.shape(many)[: len(runs)] == runs and len(alone.devices()) == 1
        if not jax.dtypes.issubdtype(alone.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(many[at], alone)


@pytest.mark.usefixtures("few_devices")
def test_a_hundred_steps_of_digits_are_the_same_under_every_lift(tmp_path, monkeypatch):
    """At a learning rate that does not amplify rounding; at the default one the curves part after a dozen steps."""
    module = importlib.import_module("experiments.supervised.classify")
    build, unseen = module.build, {"probes": {}, "final": {}, "figures": {}}  # the curve is of the training alone
    monkeypatch.setattr(module, "build", lambda *args: build(*args)._replace(**unseen))
    every = {"num_steps": 100, "log_every": 1, "steps_per_call": 1}
    small = {"model": "mlp", "augment": "none", "learning_rate": 3e-3, **every}

    def curve(name: str, *more: str) -> np.ndarray:
        run.main(module.__name__, ["--workdir", str(tmp_path / name), *words(small), *more])
        rows = read_rows(tmp_path / name / "metrics.jsonl")
        return np.array([row["train/loss"] for row in rows if "train/loss" in row])

    want = curve("jit", "--lift", "jit")
    for name in ("pmap", "shard"):
        np.testing.assert_allclose(curve(name, "--lift", name), want, atol=1e-5, rtol=0, err_msg=name)
    seeds = [want, curve("seed 1", "--seed", "1")]
    np.testing.assert_allclose(curve("seeds", "--num_seeds", "2"), np.stack(seeds, -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_claims_name_what_is_measured(name):
    module = importlib.import_module(f"experiments.{name}")
    assert module.CLAIMS and module.__doc__
    fields = set(module.Config.__dataclass_fields__)
    for claim in module.CLAIMS:
        assert np.isfinite(claim.at_least) or np.isfinite(claim.at_most)
        assert claim.protocol and set(claim.overrides) <= fields


@pytest.mark.parametrize("name", NAMES)
def test_records_are_of_the_claims_that_stand_there(name):
    """Each of a claim, and judged by its bounds."""
    module = importlib.import_module(f"experiments.{name}")
    bounds = {key(claim): (claim.at_least, claim.at_most) for claim in module.CLAIMS}
    for which, record in read_measured(module).items():
        assert record["bound"] == [end if np.isfinite(end) else None for end in bounds[which]], which


def launch(folder: Path, num_steps: int = 400) -> subprocess.Popen:
    small = "--model mlp --checkpoint_every 20 --eval_every 50 --log_every 10 --batch_size 32"
    words = [*small.split(), "--num_steps", str(num_steps)]
    command = [sys.executable, "-m", "experiments.supervised.classify", "--workdir", str(folder), *words]
    flags = os.environ["XLA_FLAGS"].replace("device_count=8", "device_count=1")
    environment = {**os.environ, "XLA_FLAGS": flags}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def test_killed_and_resumed_is_the_straight_run_bit_for_bit(tmp_path):
    """Through the real command line, `kill -9` wherever it hits after the first checkpoint."""
    straight = launch(tmp_path / "straight")
    killed = launch(tmp_path / "killed")
    while killed.poll() is None and len([*(tmp_path / "killed" / "checkpoints").glob("[1-9]*0")]) < 2:  # one is sealed
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert straight.communicate() and straight.returncode == 0
    assert killed.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert max(row["step"] for row in read_rows(tmp_path / "killed" / "metrics.jsonl")) < 400
    resumed = launch(tmp_path / "killed")
    _, printed = resumed.communicate()
    assert resumed.returncode == 0, printed
    assert f"step {10}  " not in printed, "it began anew"
    rows = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("straight", "killed")]
    assert rows[0] == rows[1]
    assert leaves(tmp_path / "straight") == leaves(tmp_path / "killed")


def leaves(folder: Path) -> list[bytes]:
    """The last checkpoint's arrays, whatever the state."""
    import orbax.checkpoint as ocp

    step = Checkpoints(folder / "checkpoints").latest()
    with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore((folder / "checkpoints" / str(step) / "default").absolute())
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


def test_signal_through_the_command_line(tmp_path):
    process = launch(tmp_path / "run", 1000000)
    while process.poll() is None and not any((tmp_path / "run" / "checkpoints").glob("[1-9]*0")):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, printed = process.communicate()
    assert process.returncode == 75
    assert "the same command resumes" in printed.strip().splitlines()[-1]
