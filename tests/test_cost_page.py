"""The page of costs judges other runs beside its ways, if they learned from the same pictures."""

import dataclasses
from unittest import mock

import numpy as np
import pytest

from adl.core import BadInput
from adl.run import members
from experiments.generative import cost

CONFIG = dataclasses.replace(cost.Config(), **cost.SMOKE, workdirs=("mine=somewhere",))


class Drawer:
    """Pictures of one grey, by the key."""

    def __init__(self, size: int):
        self.size = size

    def sample(self, label, *, key):
        return np.full((len(label), self.size, self.size, 1), key / 1e7, np.float32)


def loaded(monkeypatch, size):
    given = mock.create_autospec(members.given_member, return_value=Drawer(size))
    monkeypatch.setattr(members, "given_member", given)
    return cost.load(CONFIG), given


def test_another_run_is_a_row_of_as_many_draws(monkeypatch):
    (_, test, drawn), given = loaded(monkeypatch, 7)
    given.assert_called_once()
    asked = given.call_args.kwargs["asked"]
    assert asked["dataset"] == "digits" and asked["picture_size"] == "7x7"
    assert [*drawn] == ["training", "gaussian", "mine"]
    assert {x.shape for x in drawn.values()} == {(2, len(test), 7, 7, 1)}
    np.testing.assert_allclose(drawn["mine"][:, 0, 0, 0, 0], [0, 0.1])


def test_pictures_of_another_shape_are_one_line(monkeypatch):
    with pytest.raises(BadInput, match=r"somewhere: samples \[8, 8, 1\]; the pictures here are \[7, 7, 1\]"):
        loaded(monkeypatch, 8)
