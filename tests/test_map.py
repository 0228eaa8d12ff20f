"""`python -m adl`: the map has every factory, with its call, a line and a source; words narrow it."""

import inspect
import re
import subprocess
import sys
import time

import pytest

from adl.__main__ import WIDTH, entries_about, factories, lines_about, main


def test_every_factory_is_in_the_map_with_a_line_and_a_source():
    """Those that the laws find by importing, under their names; a source may be said to be none, and why."""
    from tests.laws import factories as of_the_laws

    found = {f"adl.{entry.name}": entry for entry in factories()}
    assert found.keys() == of_the_laws().keys()
    for name, factory in of_the_laws().items():
        entry = found[name]
        assert entry.line.endswith("."), name
        cited = [source for source in entry.sources if re.search(r"\b(1[89]|20)\d\d\b", source)]
        assert cited or entry.sources[0].startswith("none, "), f"{name}: {entry.sources}"
        words = [argument.partition("=")[0] for argument in entry.arguments if argument != "*"]
        assert sorted(words) == sorted(inspect.signature(factory).parameters), name


def test_the_map_fits_a_terminal_and_shows_calls():
    lines = lines_about()
    assert max(map(len, lines)) <= WIDTH and max(map(len, lines_about(["sampling"]))) <= WIDTH
    call = "  autoencoder.vae.beta_vae(model, tx, *, likelihood, beta, prepare=..., axis=None)"
    assert lines[lines.index(call) + 2] == "    Higgins et al. 2017 (ICLR), eq. 4"
    assert any(line.startswith("  uncertainty ") for line in lines), "packages without factories are named"


GAMES = ["gan.adversarial.gan", "gan.adversarial.wgan_gp", "gan.auxiliary.acgan", "gan.cycle.cyclegan"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["gan"], GAMES),
        (["GAN"], GAMES),
        (["adl.gan.adversarial.wgan_gp"], ["gan.adversarial.wgan_gp"]),
        (["importance", "burda"], ["autoencoder.dreg.dreg", "autoencoder.vae.iwae"]),
        (["1707.06347"], ["rl.ppo.ppo", "rl.ppo.ppo_outside"]),
        (["uncertainty"], ["uncertainty.ensemble", "uncertainty.evaluation"]),
    ],
)
def test_words_narrow_it(words, names):
    assert [entry.name for entry in entries_about(words)] == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hmcc"], "nothing here has hmcc; .*; did you mean hmc?"),
        (["autoencodre"], "nothing here has autoencodre; .*; did you mean autoencoder?"),
        (["gan", "1707.06347"], "nothing here has gan and 1707.06347; `python -m adl` shows what there is$"),
        (["--lits"], "nothing here has --lits"),
    ],
)
def test_words_that_nothing_has_are_one_line(capsys, words, said):
    with pytest.raises(SystemExit) as stop:
        main(words)
    told = capsys.readouterr()
    assert stop.value.code == 2 and told.out == "" and told.err.count("\n") == 1
    assert re.match(f"error: {said}", told.err), told.err


def test_it_answers_at_once_and_a_reader_may_leave():
    start = time.perf_counter()
    ran = subprocess.run(f"{sys.executable} -m adl | head -1", shell=True, capture_output=True, text=True)
    assert ran.stdout.startswith("autoencoder: ") and ran.stderr == ""
    assert time.perf_counter() - start < 3
