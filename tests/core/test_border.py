"""What is wrong with a batch, in one line; and nothing where nothing is."""

import jax
import numpy as np
import pytest

from adl.core import Algorithm, BadInput, border, jitted

X, LABEL = np.zeros((8, 3), "f"), np.zeros(8, "i4")


def foreign(kind: str, *shape: int):
    """Something with a shape and a length that is another library's, as `torch.Tensor`."""
    module, _, name = kind.partition(".")
    return type(name, (), {"__module__": module, "shape": shape, "__len__": lambda self: shape[0]})()


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
        (X, {"x": "[B]", "mask": "[B]?"}, r"a batch is {'x': \[B\]}, not float32 \[8, 3\]"),
        ({}, {"x": "[B]"}, r"a batch needs x \[B\]; this has nothing"),
        ({"x": None}, {"x": "[B]"}, r"x is None, where \[B\] is wanted"),
        (
            {"x": X.tolist()},
            {"x": "float [B, D]"},
            r"x is list, where float \[B, D\] is wanted; np.asarray\(...\)",
        ),
        (
            {"x": foreign("torch.Tensor", 8, 3)},
            {"x": "[B, D]"},
            r"x is torch.Tensor \[8, 3\], where \[B, D\] is wanted; np",
        ),
        ({"x": np.array(["a", "b"])}, {"x": "[B]"}, r"x is <U1 \[2\], where \[B\] is wanted$"),
        ({"x": np.array([None, 1])}, {"x": "[B]"}, r"x is object \[2\], where \[B\] is wanted$"),
        ({"x": jax.random.split(jax.random.key(0), 8)}, {"x": "[B]"}, r"x is key<fry> \[8\], where"),
        ({"x": X.astype("c8")}, {"x": "float [B, D]"}, r"x is complex64 \[8, 3\], where float"),
        ({"x": X[:0]}, {"x": "[B, D]"}, r"x is float32 \[0, 3\], where \[B, D\] is wanted: it has no rows"),
        (foreign("pandas.DataFrame", 1, 1), {"x": "[B]"}, r"a batch is {'x': \[B\]}, not pandas.DataFrame \[1, 1\]"),
        ({3: X}, {"x": "[B]"}, r"this has 3"),
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
    border.check({"x": X.astype("f8"), "label": LABEL.astype("i8")}, x="float [B, D]", label="int [B]")


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


@pytest.mark.parametrize(
    "batch, said",
    [
        ({"label": LABEL}, "a batch needs x; this has label"),
        ({"xs": X}, "a batch needs x; this has xs; did you mean xs"),
        ({}, "a batch needs x; this has nothing"),
        (X, r"a batch is a dict of columns, not float32 \[8, 3\]"),
        (None, "a batch is a dict of columns, not None"),
        ([{"x": X[0]}], "a batch is a dict of columns, not list"),
        ({"x": X.tolist()}, "x is list, where .* is wanted; np.asarray"),
        ({"x": X[:0]}, "x.* is float32 .* no rows"),
    ],
)
def test_who_asks_for_a_column_in_vain_is_told(batch, said):
    """A `prepare` of anybody's, and a factory whose columns are the caller's."""
    owns = border.rows(lambda: Algorithm(lambda key, batch: (), lambda key, state, batch: (batch["x"].sum(), {})))
    asks = border.prepared(lambda key, batch: batch["x"])
    for call in (lambda: asks(None, batch), lambda: owns().step(None, (), batch)):
        with pytest.raises(BadInput, match=said) as told:
            call()
        assert "\n" not in str(told.value)


def test_other_errors_of_a_prepare_stay_as_they_are():
    for wrong, kind in ((lambda key, batch: {}["other"] if batch["x"] is None else 1 / 0, ZeroDivisionError),):
        with pytest.raises(kind):
            border.prepared(wrong)(None, {"x": X})
    with pytest.raises(KeyError):
        border.prepared(lambda key, batch: {}[batch["x"].shape])(None, {"x": X})


def test_a_dict_where_an_array_is_wanted_says_how_to_pick_a_column():
    with pytest.raises(BadInput, match=r"an array float \[B, ...\] here, not a dict; prepare=.*batch\['image'\] picks"):
        border.prepared(lambda key, batch: (batch, None))(None, {"image": X})


@pytest.mark.parametrize(
    "more, said",
    [
        ("text", "name is str, and a compiled step takes arrays of numbers alone; make one of it, or leave it out"),
        (np.array(["a"]), r"name is <U1 \[1\], and"),
        (foreign("torch.Tensor", 2), r"name is torch.Tensor \[2\], and"),
    ],
)
def test_a_compiled_step_names_what_is_no_array(more, said):
    alg = jitted(Algorithm(lambda key, batch: batch["x"].sum(), lambda key, state, batch: (state, {})))
    with pytest.raises(BadInput, match=said):
        alg.step(None, alg.init(None, {"x": X}), {"x": X, "name": more})

    def own_error(key, batch):
        raise TypeError("own")

    with pytest.raises(TypeError, match="own"):
        jitted(Algorithm(own_error, alg.step)).init(None, {"x": X})
