"""What a network does not look at is read from no configuration, so that a flag for it is refused."""

import numpy as np
import pytest

from adl import run
from adl.core import BadInput
from adl.pixel.networks import NETWORKS, OPTIONS
from adl.run.claim import words
from experiments.pixel import image


def test_every_network_has_the_options_that_it_is_said_to_look_at():
    for kind, network in NETWORKS.items():
        assert {*OPTIONS[kind]} <= {*network.__dataclass_fields__}


def test_an_option_of_another_network_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.main("experiments.pixel.image", [*words(image.SMOKE), "--hidden", "8", "--workdir", str(tmp_path / "run")])
    assert "--hidden 8: nothing depends on it here" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_pictures_without_classes_are_judged_by_none(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8)
    np.savez(tmp_path / "plain.npz", image=pixels)
    np.savez(tmp_path / "known.npz", image=pixels, label=np.arange(40) % 2)

    def columns(name: str, classes: str) -> set[str]:
        return {*image.load(image.Config(dataset=str(tmp_path / name), classes=classes))[0].names}

    assert columns("plain.npz", "judge") == columns("known.npz", "unknown") == {"image"}
    assert columns("known.npz", "judge") == columns("known.npz", "seen") == {"image", "label"}
    with pytest.raises(BadInput, match="has no label"):
        columns("plain.npz", "seen")
