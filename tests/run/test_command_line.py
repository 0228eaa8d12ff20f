"""Every bad word of every field of every experiment is told in one line that names its flag, and leaves no trace."""

import dataclasses
import importlib
import os
import re
import subprocess
import sys
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import pytest

import experiments
from adl import run
from adl.run import flags, ranges
from adl.run.claim import claiming

ROOT = Path(__file__).parent.parent.parent
NAMES = claiming(experiments)


def refused(capsys, folder: Path, name: str, *words: str) -> str:
    """What `python -m experiments.NAME WORDS` says, once it has ended as it should."""
    module = f"experiments.{name}" if name in NAMES else name
    with pytest.raises(SystemExit) as stop:
        run.main(module, words)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and said.startswith("error: "), (words, said)
    assert not any(folder.iterdir()), f"{words} left {list(folder.rglob('*'))}"
    return said.removeprefix("error: ")


def bad(name: str, hint: type, limits: dict[str, ranges.Range]) -> list[str]:
    """Words that a field cannot have."""
    kind = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
    if kind in (int, float):
        words = ["", "x", "²", "٣", "nan", "inf", "1_0", *(["1.5", "1e400"] if kind is int else ["1e400", "-1e-40"])]
        limit = limits.get(name, ranges.Range())
        return words + [str(n) for n in (0, -1, 10**30, -(10**30)) if kind(n) not in limit]
    if typing.get_origin(kind) is Literal:
        return ["", "nosuch", "²"]
    return {
        "mesh": ["data", "data=²", "data=0", "=2", "model=1,model=1"],
        "figure_format": ["", "gif", "png,,svg"],
        "sweep": ["", "nosuch=1", "seed", "seed=1,1", "seed=1,x"],
        "best": [":max", "test/loss:mx", "test/loss:"],
        "leave_out": [""],
    }.get(name, [])


def wrong_words(config: type, names: Collection[str]) -> list[tuple[str, str]]:
    """(field, word) of all words that fields of these names cannot have."""
    hints, limits = typing.get_type_hints(config), ranges.ranges(config)
    return [(field, word) for field in names for word in bad(field, hints[field], limits)]


def require_refused(capsys, folder: Path, name: str, field: str, word: str) -> None:
    said = refused(capsys, folder, name, f"--{field}={word}")
    assert re.match(rf"--{field}\b.*(must|is not|twice)", said), (field, word, said)


@pytest.mark.parametrize("name", NAMES)
def test_no_field_takes_what_it_cannot_have(name, capsys, tmp_path, monkeypatch):
    """Each bad word of the fields that the experiment says something of, and one of each that it has as they are."""
    monkeypatch.chdir(tmp_path)
    config = importlib.import_module(f"experiments.{name}").Config
    own, every = vars(config)["__annotations__"], [field.name for field in dataclasses.fields(config)]
    as_they_are = dict(reversed(wrong_words(config, [field for field in every if field not in own])))
    tried = [*wrong_words(config, own), *as_they_are.items()]
    for field, word in tried:
        require_refused(capsys, tmp_path, name, field, word)
    assert len(tried) > 10


def test_no_field_of_many_experiments_takes_what_it_cannot_have(capsys, tmp_path, monkeypatch):
    """Each bad word of those that an experiment has as they are, in the first that has them."""
    monkeypatch.chdir(tmp_path)
    seen: set[str] = set()
    for name in NAMES:
        config = importlib.import_module(f"experiments.{name}").Config
        every = {field.name for field in dataclasses.fields(config)}
        new = sorted(every - seen - {*vars(config)["__annotations__"]})
        for field, word in wrong_words(config, new):
            require_refused(capsys, tmp_path, name, field, word)
        seen |= {*new}
    assert {"seed", "lift", "mesh", "picture_size", "test_split"} <= seen


@pytest.mark.parametrize("name", NAMES)
def test_every_field_says_what_it_is(name):
    """In a line or two, whoever gave it another default; and every number has a range."""
    config = importlib.import_module(f"experiments.{name}").Config
    said, hints = flags.explained(config), typing.get_type_hints(config, include_extras=True)
    for field in dataclasses.fields(config):
        assert 3 <= len(said.get(field.name, "")) <= 180, f"{name}: --{field.name}: {said.get(field.name)!r}"
        bare = typing.get_type_hints(config)[field.name]
        is_number = bare in (int, float) or typing.get_args(bare)[:1] in [(int,), (float,)]
        assert not is_number or field.name in ranges.ranges(config), f"{name}: --{field.name} {hints[field.name]}"


def test_help_has_what_the_comments_say(capsys):
    with pytest.raises(SystemExit) as stop:
        run.main("experiments.supervised.classify", ["--help"])
    told = " ".join(re.sub("[│╭╮╰╯─|+-]+", " ", capsys.readouterr().out).split())
    assert stop.value.code == 0
    for text in ("where steps run: one device (jit)", "length of the run (default: 1000)", "units of each of the MLP"):
        assert text in told, text


JIT = ["--lift", "jit"]
PRODUCTS = [  # (experiment, words, what is said): what no field alone can know
    ("rl.ppo", ["--num_minibatches", "7", *JIT], "--num_minibatches 7: a batch of 1024"),
    ("rl.ppo", ["--num_envs", "30", *JIT], "--batch_size 1024: it must be a multiple of --num_envs 30"),
    ("gan.grid", ["--n_critic", "3"], "--n_critic 3: it must be a divisor of --batch_size 128"),
    ("gan.grid", ["--best", "samples/mode:max", *JIT], "--best .*nothing measures it; .*did you mean samples/modes"),
    ("gan.grid", [*JIT, "--mesh", "data=2"], "--mesh data=2: only --lift shard has a mesh"),
    ("gan.grid", [*JIT, "--layout", "fsdp"], "--layout fsdp: only --lift shard has a layout"),
    ("gan.grid", ["--hidden", "1000000000", *JIT], "--hidden 1000000000: state and batches would take .* GiB"),
    ("diffusion.image", ["--sigma_min", "50"], "--sigma_min 50.0: it must be below --sigma_max 40.0"),
    ("diffusion.image", ["--width", "12"], "--width 12: it must be a multiple of 8"),
    ("diffusion.vdm", ["--low", "6"], "--low 6.0: it must be below --high 5.0"),
    ("generative.cost", ["--ways", "heun", "flow", "heun"], "--ways heun flow heun: heun stands there twice"),
    ("generative.cost", ["--evaluations", "8", "16", "8"], "--evaluations 8 16 8: 8 stands there twice"),
    ("latent.holes", ["--shares", "0.1", "0.10"], r"--shares 0\.1 0\.1: 0\.1 stands there twice"),
    ("supervised.classify", ["--model", "mlp", "--hidden_width", "10000000", *JIT], "--hidden_width 10000000: .* take"),
    ("supervised.classify", ["--hidden_width", "64", *JIT], "--hidden_width 64: nothing depends on it here"),
    ("supervised.classify", ["--batch_size", "1000000000", *JIT], "--batch_size 1000000000: the batches .* would take"),
    ("supervised.classify", ["--batch_size", "127", "--lift", "shard"], "--batch_size 127: it must be a multiple of 8"),
    ("supervised.classify", ["--dataset", "digits:9.9.9"], "--dataset digits:9.9.9: .*digits:1.0.0 alone"),
    ("supervised.classify", ["--dataset", "digits/nosuch"], "--dataset digits/nosuch: "),
    ("supervised.classify", ["--dataset", "digits/../../x"], "--dataset digits/../../x: "),
    ("supervised.classify", ["--dataset", "../x"], r"--dataset \.\./x cannot be read"),
    ("supervised.classify", ["--dataset", "wine"], "--dataset wine: .*has no image"),
    ("supervised.classify", ["--dataset", ""], "--dataset '': it must not be empty"),
    ("supervised.classify", ["--num_seeds", "1000000000", *JIT], "--num_seeds 1000000000: .* would take"),
    ("supervised.classify", ["--seed", "4294967296", "--num_seeds", "2"], "--seed 4294967296: it must be at most"),
    ("supervised.classify", ["--seed", "2147483647", "--num_seeds", "2"], "--seed 2147483647 --num_seeds 2: "),
    (
        "sampling.nuts",
        ["--target", "funnel", "--num_chains", "7", "--lift", "pmap"],
        "--num_chains 7: .* multiple of 8",
    ),
    ("sampling.nuts", ["--target", "funnel", "--batch_size", "7", *JIT], "--batch_size 7: nothing depends on it here"),
    ("sampling.nuts", ["--dataset", "wine", *JIT], "--dataset wine: .*two classes"),
    ("latent.mixture", ["--precision", "bfloat16", *JIT], "--precision bfloat16: nothing depends on it here"),
    ("latent.mixture_digits", ["--num_dims", "1000", *JIT], "--num_dims 1000: .*64"),
    ("linear.gp_moons", ["--num_points", "100000", *JIT], "--num_points 100000: .* would take"),
    ("sequence.language", ["--num_heads", "3", *JIT], "--num_heads 3: a width of 128 does not divide among 3 heads"),
    (
        "sequence.language",
        ["--lift", "shard"],
        "--batch_size 12: it must be a multiple of 8, the devices that share it",
    ),
    ("sequence.language", ["--stride", "65"], "--stride 65: it must be at most --length 64"),
    ("sequence.language", ["--test_split", "nosuch", *JIT], "--test_split nosuch: .* has no split nosuch"),
]


@pytest.mark.parametrize(("name", "words", "message"), PRODUCTS, ids=[f"{n} {' '.join(w)}" for n, w, _ in PRODUCTS])
def test_what_does_not_fit_together_is_known_before_anything_is_written(
    name, words, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, tmp_path, name, *words)
    assert re.match(message, said), said


BROKEN = '''"""Broken."""
from dataclasses import dataclass
import jax.numpy as jnp
from adl import run
from adl.core import Algorithm, Mean
@dataclass(frozen=True)
class Config(run.Config):
    """Its fields."""
    width: run.Count = 3  # of the state
    height: run.Count = 2  # of the state
SIZE = 3
def build(cfg, loaded, axis):
    def step(key, state, batch):
        return state + jnp.ones((1, SIZE)), {"loss": Mean.of(state)}
    return run.Experiment(Algorithm(lambda key, batch: jnp.zeros((cfg.height, cfg.width)), step))
if __name__ == "__main__":
    run.main(__name__)
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of somebody's own, outside the repository."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_broken.py").write_text(BROKEN)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    monkeypatch.syspath_prepend(tmp_path / "code")
    yield tmp_path / "run"
    sys.modules.pop("my_broken", None)


def test_an_error_of_the_program_names_the_flag_that_it_comes_from(own, capsys):
    """Of several flags the one without which there is none; where there is none, Python says all it knows."""
    importlib.import_module("my_broken")
    said = refused(capsys, own, "my_broken", "--width", "4", "--height", "5", "--seed", "3", *JIT)
    assert re.match("--width 4: the program cannot be made: .*", said), said
    sys.modules["my_broken"].SIZE = 2
    with pytest.raises(TypeError, match="incompatible shapes"):
        run.main("my_broken", ["--height", "5", *JIT])


def command(folder: Path, words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""}
    line = f"{sys.executable} {words}"
    return subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_help_is_of_the_command_that_was_typed_and_may_be_cut_short(own):
    code = own.parent / "code"
    told = command(code, "-m my_broken --help | head -1")
    assert told.stdout.startswith("usage: python -m my_broken ") and not told.stderr
    assert command(code, "my_broken.py --help").stdout.startswith("usage: python my_broken.py ")
    listed = command(ROOT, "-m experiments | head -1")
    assert listed.stdout.startswith("experiment ") and not listed.stderr
