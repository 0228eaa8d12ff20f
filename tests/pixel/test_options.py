"""What a network does not look at is read from no configuration, so that a flag for it is refused."""

from adl.pixel.networks import NETWORKS, OPTIONS


def test_every_network_has_the_options_that_it_is_said_to_look_at():
    for kind, network in NETWORKS.items():
        assert {*OPTIONS[kind]} <= {*network.__dataclass_fields__}
