"""What is wrong with a batch, in one line; and nothing where nothing is."""

import jax
import numpy as np
import pytest

from adl.core import Algorithm, BadInput, border

X, LABEL = np.zeros((8, 3), "f"), np.zeros(8, "i4")


@pytest.mark.parametrize(
    "batch, wanted, said",
    [
        ({"x": X[0]}, {"x": "float [B, D]"}, r"x is float32 \[3\], where float \[B, D\] is wanted"),
        ({"x": LABEL}, {"x": "float [B]"}, r"x is int32 \[8\], where float \[B\] is wanted"),
        ({"x": X, "label": LABEL[1:]}, {"x": "[B, D]", "label": "int [B]"}, r"int32 \[7\].*wanted with B = 8"),
        ({"x": X, "label": X[:, 0]}, {"label": "int [B]"}, r"label is float32"),
        (
            {"labels": LABEL, "x": X},
            {"label": "int [B]"},
            r"this has labels, x; did you mean labels",
        ),
        ({"token": X, "mask": X}, {"token": "[B, T+1]", "mask": "[B, T]?"}, r"wanted with T = 2"),
        ({"x": X[0, 0]}, {"x": "float [B, ...]"}, r"x is float32 \[\]"),
        (X, {"x": "[B]"}, r"a batch is a dict with x, not float32 \[8, 3\]"),
    ],
)
def test_one_line_says_what_would_be_right(batch, wanted, said):
    with pytest.raises(BadInput, match=said) as told:
        border.check(batch, **wanted)
    assert "\n" not in str(told.value)


def test_what_is_right_passes():
    border.check({"x": X, "label": LABEL, "more": 3}, x="float [B, D]", label="int [B]", mask="[B]?")
    border.check({"x": X[None], "mask": None}, x="float [...]", mask="[B]?")
    border.check({"token": X, "mask": X[:, 1:]}, token="[B, T+1]", mask="[B, T]?")
    border.as_many((X, {"label": LABEL}, None))


def test_rows_are_as_many():
    with pytest.raises(BadInput, match=r"\['b'\] is float32 \[7, 3\], where \['a'\] is float32 \[8, 3\]"):
        border.as_many({"a": X, "b": X[1:]})
    with pytest.raises(BadInput, match="as many rows"):
        border.as_many((X, np.float32(1)))


def test_factories_look_before_they_trace():
    @border.columns(x="float [B, D]")
    def factory(scale):
        """Its own words."""
        return Algorithm(lambda key, batch: batch["x"].sum(), lambda key, state, batch: (state + scale, {}))

    alg = factory(2.0)
    assert factory.__doc__ == "Its own words." and jax.eval_shape(alg.step, None, 0.0, {"x": X})[0].shape == ()
    for call in (lambda: alg.init(None, {"x": LABEL}), lambda: alg.step(None, 0.0, {"x": LABEL})):
        with pytest.raises(BadInput, match="where float"):
            jax.eval_shape(call)


def test_prepared_looks_at_what_comes_of_a_batch():
    right = border.prepared(lambda key, batch: (batch, batch[:, 0]))
    assert right(None, X)[1].shape == (8,)
    for wrong in (
        lambda key, batch: (batch, batch[1:]),
        lambda key, batch: (batch > 0, batch),
        lambda key, batch: LABEL,
    ):
        with pytest.raises(BadInput):
            border.prepared(wrong)(None, X)
