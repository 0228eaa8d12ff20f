"""Ragged rows lose nothing: padded, in buckets, or packed, each place of each sequence is there once, and counts."""

import itertools

import jax
import numpy as np
import pytest

from adl.core import BadInput
from adl.data import Split, padded, ragged
from adl.data.split import stacked
from adl.nn.attention import MultiHeadAttention, together

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 13, size=41)
ROWS = [np.arange(n, dtype=np.int32) + 100 * i for i, n in enumerate(LENGTHS, 1)]  # a token says its row and its place
SPLIT = Split(
    stacked([{"token": row, "x": np.stack([row, -row], 1) / 7.0, "label": i} for i, row in enumerate(ROWS, 1)])
)


def test_padded_rows_are_the_rows_and_then_the_value():
    array, mask = ragged.pad(ROWS, 20, value=-3)
    assert array.shape == mask.shape == (41, 20) and array.dtype == np.int32 and mask.dtype == np.float32
    np.testing.assert_array_equal(mask.sum(1), LENGTHS)
    for row, got, counts in zip(ROWS, array, mask, strict=True):
        np.testing.assert_array_equal(got[counts > 0], row)
        assert (got[len(row) :] == -3).all()
    assert ragged.pad(ROWS)[0].shape == (41, LENGTHS.max())
    with pytest.raises(BadInput, match=rf"^row {LENGTHS.argmax()} has a length of {LENGTHS.max()}, above 5: cut it"):
        ragged.pad(ROWS, 5)
    with pytest.raises(BadInput, match="no rows"):
        ragged.pad([])


def test_a_rectangular_split_is_padded_in_batches_with_one_mask():
    split = ragged.rectangular(SPLIT, "token", "x")
    assert split.arrays["x"].shape == (41, 12, 2) and split.arrays["label"].shape == (41,)
    np.testing.assert_array_equal(split.arrays["mask"].sum(1), LENGTHS)
    batches = padded(split, 16)
    assert batches["mask"].shape == (3, 16, 12) and batches["mask"].sum() == LENGTHS.sum()
    np.testing.assert_array_equal(batches["token"][batches["mask"] > 0], np.concatenate(ROWS))
    named = ragged.rectangular(SPLIT, "token", length=15, mask="source_mask")
    assert named.arrays["source_mask"].shape == (41, 15) and named.arrays["x"].dtype == object


def test_columns_that_do_not_go_side_by_side_are_refused():
    split = Split(stacked([{"a": np.zeros(n), "b": np.zeros(n + (n == 2))} for n in (1, 2, 3)]))
    with pytest.raises(BadInput, match=r"^row 1: a has a length of 2, b of 3$"):
        ragged.rectangular(split, "a", "b")
    with pytest.raises(BadInput, match="has no c"):
        ragged.packed(split, "c", length=9)


@pytest.mark.parametrize("lengths", [(12,), (4, 8, 12), (2, 3, 5, 30)])
@pytest.mark.parametrize("batch_size", [1, 6, 50])
def test_each_epoch_of_buckets_sees_each_row_once(lengths, batch_size):
    batches = ragged.bucketed(SPLIT, "token", "x", batch_size=batch_size, lengths=lengths, seed=1)
    epochs = []
    for epoch in range(2):
        seen, shapes = [], set()
        for step in range(batches.steps_per_epoch):
            batch = batches[epoch * batches.steps_per_epoch + step]
            size = batch["token"].shape[1]
            bound = lengths[lengths.index(size) - 1] if size > lengths[0] else 0
            assert len(batch["token"]) == batch_size and size in lengths
            for token, x, mask, label in zip(*(batch[name] for name in ("token", "x", "mask", "label")), strict=True):
                if not mask.any():
                    assert not token.any() and not x.any() and not label
                    continue
                np.testing.assert_array_equal(token[mask > 0], ROWS[label - 1])
                np.testing.assert_allclose(x[mask > 0, 0] * 7, ROWS[label - 1], rtol=1e-6)
                assert bound < mask.sum() <= size, "it is in the first bucket that it fits into"
                seen.append(int(label))
            shapes.add(batch["token"].shape)
        assert sorted(seen) == list(range(1, 42)) and len(shapes) <= len(lengths)
        epochs.append(seen)
    assert epochs[0] != epochs[1]


def test_a_batch_of_a_bucket_depends_on_the_step_alone_and_is_shared_out():
    make = lambda: ragged.bucketed(SPLIT, "token", batch_size=6, lengths=(4, 8, 12))  # noqa: E731
    batches, straight = make(), [make()[step] for step in range(20)]
    for step in (19, 3, 3, 0, 11):
        jax.tree.map(np.testing.assert_array_equal, batches[step]["token"], straight[step]["token"])
    shares = [batches.share(index, 3) for index in range(3)]
    for step in range(20):
        for name in ("token", "mask", "label"):
            got = np.concatenate([share[step][name] for share in shares])
            np.testing.assert_array_equal(got, straight[step][name])
    with pytest.raises(BadInput, match="--batch_size 6: it must be a multiple of 4"):
        batches.share(0, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lengths": (4, 8)}, "above 8, that of the last bucket"),
        ({"lengths": (8, 4, 12)}, "buckets of lengths 8, 4, 12: they must ascend"),
        ({"lengths": ()}, "must ascend"),
        ({"lengths": (12,), "batch_size": 0}, "--batch_size 0: it must be >= 1"),
    ],
)
def test_buckets_that_cannot_be_are_refused(options, said):
    with pytest.raises(BadInput, match=said):
        ragged.bucketed(SPLIT, "token", **{"batch_size": 4, **options})


def test_packed_rows_hold_each_sequence_once_and_whole():
    rows = ragged.packed(SPLIT, "token", "x", length=16).arrays
    assert rows["token"].shape == rows["mask"].shape and rows["x"].shape == (*rows["token"].shape, 2)
    assert "label" not in rows and {rows[name].dtype for name in ("segment", "position")} == {np.dtype(np.int32)}
    found = []
    for token, segment, position, mask in zip(
        *(rows[name] for name in ("token", "segment", "position", "mask")), strict=True
    ):
        np.testing.assert_array_equal(mask, segment > 0)
        assert (np.diff(np.where(segment > 0, segment, segment.max() + 1)) >= 0).all(), "one after the other"
        for number in range(1, segment.max() + 1):
            np.testing.assert_array_equal(position[segment == number], np.arange((segment == number).sum()))
            found.append(tuple(token[segment == number].tolist()))
    assert sorted(found) == sorted(tuple(row.tolist()) for row in ROWS)


@pytest.mark.parametrize(("lengths", "num_rows"), [((3, 7, 4, 6, 5, 5), 3), ((6, 6, 6), 3), ((1,) * 25, 3), ((10,), 1)])
def test_packing_leaves_as_little_room_as_can_be_where_sequences_fit(lengths, num_rows):
    split = Split({"x": stacked([{"x": np.ones(n)} for n in (*lengths, 10)])["x"][:-1]})
    assert len(ragged.packed(split, "x", length=10)) == num_rows


def test_packing_is_near_the_best_there_is():
    """Within 11/9 of it, and one row: Johnson 1974; the best by trying all."""
    for seed in range(6):
        lengths = np.random.default_rng(seed).integers(1, 8, size=7)
        split = Split({"x": stacked([{"x": np.ones(n)} for n in (*lengths, 9)])["x"][:-1]})
        got = len(ragged.packed(split, "x", length=9))
        assert got <= 11 / 9 * fewest(lengths.tolist(), 9) + 1


def fewest(lengths: list[int], room: int) -> int:
    for count in range(1, len(lengths) + 1):
        for places in itertools.product(range(count), repeat=len(lengths)):
            if np.bincount(places, lengths).max() <= room:
                return count
    raise AssertionError


def test_sequences_of_a_packed_row_do_not_see_each_other():
    """Attention within segments is attention to each sequence alone."""
    rows = [RNG.normal(size=(n, 8)).astype("f") for n in (5, 3, 4, 2)]
    packed = ragged.packed(Split(stacked([{"x": row} for row in rows])), "x", length=8).arrays
    model = MultiHeadAttention(2)
    params = model.init(jax.random.key(0), packed["x"])
    mask = together(packed["segment"])[:, None]
    whole = np.asarray(model.apply(params, packed["x"], mask=mask))
    for x, segment, out in zip(packed["x"], packed["segment"], whole, strict=True):
        for number in range(1, segment.max() + 1):
            own = segment == number
            np.testing.assert_allclose(out[own], model.apply(params, x[own][None])[0], atol=1e-5)
