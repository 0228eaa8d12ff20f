"""What a network does not look at is read from no configuration, so that a flag for it is refused."""

import pytest

from adl import run
from adl.pixel.networks import NETWORKS, OPTIONS
from adl.run.claim import words
from experiments.pixel.image import SMOKE


def test_every_network_has_the_options_that_it_is_said_to_look_at():
    for kind, network in NETWORKS.items():
        assert {*OPTIONS[kind]} <= {*network.__dataclass_fields__}


def test_an_option_of_another_network_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.main("experiments.pixel.image", [*words(SMOKE), "--hidden", "8", "--workdir", str(tmp_path / "run")])
    assert "--hidden 8: nothing depends on it here" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
