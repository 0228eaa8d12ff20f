"""Fields that would not be looked at are refused, each in one line."""

import pytest

from adl.core import BadInput
from adl.pixel.networks import NETWORKS, OPTIONS
from experiments.pixel.image import Config, require_used


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "made", "width": 8}, "--width: it wants another --model than made"),
        ({"hidden": (8,)}, "--hidden: it wants another --model than gated"),
        ({"num_components": 2}, "--num_components: it wants --likelihood logistics"),
    ],
)
def test_a_field_that_would_not_be_looked_at_is_refused(options, told):
    with pytest.raises(BadInput, match=told):
        require_used(Config(**options))


def test_a_field_that_is_looked_at_is_not():
    require_used(Config(model="made", hidden=(8,)))
    require_used(Config(likelihood="logistics", num_components=2))


def test_every_network_has_the_options_that_it_is_said_to_look_at():
    for kind, network in NETWORKS.items():
        assert {*OPTIONS[kind]} <= {*network.__dataclass_fields__}
