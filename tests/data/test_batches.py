"""A batch is a pure function of the step; an epoch is a permutation; shares of processes make the whole."""

import numpy as np
import pytest
from scipy.stats import chisquare

from adl.core import BadInput
from adl.data import Split, StoredSplit, alternating, filled, ordered, padded, portions, shuffled, streamed, whole

N = 23


class Source:
    """Counts what is read."""

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return N

    def __getitems__(self, rows):
        self.reads += 1
        return [{"x": row, "y": np.full(2, row, np.float32)} for row in rows]


def memory() -> Split:
    return Split({"x": np.arange(N, dtype=np.int32), "y": np.repeat(np.arange(N, dtype=np.float32), 2).reshape(N, 2)})


KINDS = {
    "gathered": lambda *args, **kwargs: shuffled(memory(), *args, **kwargs),
    "streamed": lambda *args, **kwargs: streamed(memory(), *args, **kwargs),
    "stored": lambda *args, **kwargs: shuffled(StoredSplit(Source()), *args, **kwargs),
}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def rows(batches, *steps: int) -> list[int]:
    return [int(x) for step in steps for x in batches[step]["x"]]


@kinds
def test_a_batch_depends_on_the_step_alone(make):
    batches = make(5, seed=3)
    want = {step: rows(make(5, seed=3), step) for step in (0, 7, 8, 40)}
    for step in (7, 40, 7, 7, 8, 0, 8, 7):
        assert rows(batches, step) == want[step]
    assert [rows(batches, step) for step in range(9)] == [rows(KINDS["gathered"](5, seed=3), s) for s in range(9)]
    np.testing.assert_array_equal(batches[7]["y"], np.repeat(want[7], 2).reshape(5, 2))


@kinds
@pytest.mark.parametrize("batch_size", [1, 5, N, 60])
def test_each_epoch_sees_each_example_once(make, batch_size):
    batches = make(batch_size)
    seen = np.array(rows(batches, *range(-(-4 * N // batch_size))))
    epochs = seen[: 4 * N].reshape(4, N)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(N), (4, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 4, "epochs must differ"
    assert batches.steps_per_epoch == N / batch_size


@pytest.mark.parametrize("split", [memory(), StoredSplit(Source())], ids=["memory", "disk"])
@pytest.mark.parametrize("batch_size", [1, 5, 60])
def test_ordered_batches_read_round_and_round(split, batch_size):
    batches = ordered(split, batch_size)
    assert rows(batches, *range(7)) == [i % N for i in range(7 * batch_size)]
    assert rows(batches, 3) == [i % N for i in range(3 * batch_size, 4 * batch_size)]


def test_phases_read_on_each_by_itself():
    first, second = ordered(memory(), 4), shuffled(memory(), 4)
    batches = alternating((first, second), (2, 3))
    got = [rows(batches, step) for step in range(10)]
    assert got[0:2] + got[5:7] == [rows(first, step) for step in range(4)]
    assert got[2:5] + got[7:10] == [rows(second, step) for step in range(6)]
    shares = [batches.share(index, 2) for index in range(2)]
    assert all([*rows(shares[0], step), *rows(shares[1], step)] == rows(batches, step) for step in range(10))
    with pytest.raises(IndexError, match="steps count from 0"):
        batches[-1]


def test_the_order_is_uniform():
    """First places over 500 seeds: a chi-squared statistic within its 99.9 % quantile, and seeds differ."""
    first = [rows(KINDS["gathered"](1, seed=seed), 0)[0] for seed in range(500)]
    assert chisquare(np.bincount(first, minlength=N)).pvalue > 1e-3


@kinds
def test_shares_of_processes_concatenate_to_the_global_batch(make):
    whole = make(12)
    shares = [make(12).share(index, 4) for index in range(4)]
    for step in range(5):
        assert [len(share[step]["x"]) for share in shares] == [3] * 4
        assert [row for share in shares for row in rows(share, step)] == rows(whole, step)


def test_at_most_two_permutations_are_kept():
    batches = KINDS["gathered"](5)
    for step in range(50):
        batches[step]
    assert batches._permutation.cache_info().currsize == 2
    assert batches._permutation.cache_info().misses == 11, "reading in order must permute each epoch once"


def test_reading_ahead_happens_only_in_order():
    source = Source()
    batches = shuffled(StoredSplit(source), 5)
    start = source.reads
    for step in (3, 3, 9, 4):
        batches[step]
    assert source.reads - start == 3, "the same step again is not read again, and nothing is read ahead"
    with pytest.raises(ValueError):
        batches[4]["x"][0] = 7  # it is handed out again


def test_a_step_that_could_not_be_read_can_be_asked_for_again():
    class Flaky(Source):
        def __getitems__(self, rows):
            examples = super().__getitems__(rows)
            if self.reads == 7:
                raise OSError("the disk went away")
            return examples

    batches, got = shuffled(StoredSplit(Flaky()), 5), []
    with pytest.raises(OSError, match="went away"):
        for step in range(9):
            got.append(rows(batches, step))
    got += [rows(batches, step) for step in range(len(got), 9)]
    assert got == [rows(KINDS["gathered"](5), step) for step in range(9)]


@kinds
def test_what_is_no_step_is_refused(make):
    batches = make(5)
    for step in (-1, -2):
        with pytest.raises(IndexError, match=f"there is no step {step}: steps count from 0"):
            batches[step]
    with pytest.raises(TypeError, match="integer"):
        batches[1.5]
    assert rows(batches, np.int64(2)) == rows(batches, 2)


def test_what_cannot_be_batched_is_refused():
    for make in (shuffled, streamed):
        with pytest.raises(BadInput, match=r"^--batch_size 10: it must be a multiple of 4, the number of shares$"):
            make(memory(), 10).share(0, 4)
        with pytest.raises(BadInput, match=r"^--batch_size 0: it must be >= 1$"):
            make(memory(), 0)
        with pytest.raises(BadInput, match="seed of -1"):
            make(memory(), 4, seed=-1)
    with pytest.raises(BadInput, match=r"^--batch_size 0: it must be >= 1$"):
        ordered(memory(), 0)
    with pytest.raises(BadInput, match="must be >= 1"):
        padded(memory(), 0)


@pytest.mark.parametrize("batch_size", [1, 5, N, 60])
@pytest.mark.parametrize("split", [memory(), StoredSplit(Source())], ids=["memory", "disk"])
def test_padded_covers_the_split_in_order(split, batch_size):
    batches = padded(split, batch_size)
    size = min(batch_size, N)
    assert batches["mask"].shape == (-(-N // size), size) and batches["mask"].dtype == np.float32
    assert batches["y"].shape == (*batches["mask"].shape, 2) and batches["x"].dtype == np.int32
    np.testing.assert_array_equal(batches["x"][batches["mask"] == 1], np.arange(N))
    assert not batches["y"][batches["mask"] == 0].any() and batches["mask"].sum() == N


@pytest.mark.parametrize("multiple", [1, 8, 37, 64])
def test_filled_is_the_split_and_zeros(multiple):
    split = memory()
    whole = filled(split, multiple)
    n = len(split)
    assert len(whole) % multiple == 0 and 0 <= len(whole) - n < multiple
    for name, want in split.arrays.items():
        np.testing.assert_array_equal(whole.arrays[name][:n], want)
        assert not whole.arrays[name][n:].any() and whole.arrays[name].dtype == want.dtype
    np.testing.assert_array_equal(whole.arrays["mask"], np.arange(len(whole)) < n)


@pytest.mark.parametrize("split", [memory(), StoredSplit(Source())], ids=["memory", "disk"])
def test_portions_are_shuffled_and_none_is_the_whole(split):
    for batches, want in (
        (portions(split, 3), shuffled(filled(split, 64), 3)),
        (portions(split, 0), whole(split)),
    ):
        for step in (0, 1, 30):
            for name, array in want[step].items():
                np.testing.assert_array_equal(batches[step][name], array)


@pytest.mark.parametrize("split", [memory(), StoredSplit(Source())], ids=["memory", "disk"])
def test_the_whole_is_one_batch_at_every_step(split):
    batches = whole(split, 8)
    for step in (0, 7):
        np.testing.assert_array_equal(np.sort(batches[step]["x"][batches[step]["mask"] > 0]), np.arange(N))
        np.testing.assert_array_equal(batches[step]["y"][:, 0], batches[step]["x"])
        np.testing.assert_array_equal(batches[step]["x"], batches[0]["x"])
        assert len(batches[step]["y"]) == 24 and batches[step]["mask"].sum() == N
    assert (np.diff(batches[0]["x"]) < 0).any(), "shuffled, so that shares are alike"
    shares = [batches.share(index, 4)[3] for index in range(4)]
    for name, want in batches[3].items():
        np.testing.assert_array_equal(np.concatenate([share[name] for share in shares]), want)
    assert len(whole(split)[0]["x"]) == 64
    with pytest.raises(BadInput, match="all 24 examples does not divide by 5"):
        batches.share(0, 5)
    with pytest.raises(ValueError):
        batches[0]["x"][0] = 7
    with pytest.raises(IndexError):
        batches[-1]


def test_a_mask_that_a_split_has_goes_on_with_zeros():
    mask = np.arange(3.0) + 1
    assert filled(Split({"x": mask, "mask": mask}), 4).arrays["mask"].tolist() == [1, 2, 3, 0]
