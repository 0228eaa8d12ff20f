"""Topologies are checked before anything is compiled."""

import importlib.util
import os

import pytest

from adl.core import BadInput
from adl.run import chip


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        ("v5r:4x4", "no such topology; one is v5e:4x4, .*did you mean v5"),
        ("gpu", "no such topology; one is v5e:4x4, .*did you mean cpu"),
        ("v5e", "the shape of a v5e slice has 2 numbers"),
        ("v5e:4x4x4", "the shape of a v5e slice has 2 numbers"),
        ("v4:2x0x1", "the shape of a v4 slice has 3 numbers"),
        ("v5e:32x16", "that is 512 chips; a v5e pod has 256"),
    ],
)
def test_unknown_topology_is_one_line_with_examples(topology, message):
    with pytest.raises(BadInput, match=f"^--plan {topology}: {message}") as error:
        chip.tpu(topology)
    assert "\n" not in str(error.value)


def test_missing_libtpu_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"^--plan v5e:4x4: .*; pip install -e '\.\[tpu\]'$"):
        chip.tpu("v5e:4x4")


def test_machine_is_shared_by_its_devices():
    one, devices = chip.cpu("jit")
    eighth, all_devices = chip.cpu("shard")
    assert (len(devices), len(all_devices)) == (1, 8)
    assert one.memory == 8 * eighth.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert one.flops > 1e8 and one.bandwidth > 1e7


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
@pytest.mark.parametrize(
    ("topology", "count"), [("v5e:4x4", 16), ("v5e:1x1", 1), ("v4:2x2x2", 8), ("v5p:2x2x1", 4), ("v6e:2x4", 8)]
)
def test_a_device_is_a_chip(topology, count):
    assert len(chip.tpu(topology)[1]) == count


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
def test_slice_that_is_not_made_is_one_line():
    with pytest.raises(BadInput, match="^--plan v5e:3x3: "):
        chip.tpu("v5e:3x3")
