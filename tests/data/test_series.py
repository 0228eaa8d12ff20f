"""Made series are what they say: seasons come again, noise lingers, levels change; windows keep the order of time."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import series

PLAIN = series.Made(slope=0, waves=1, noise=0, shift=0)


def test_a_season_comes_again_and_a_trend_is_straight():
    y = series.made_series(5, 50, PLAIN)
    np.testing.assert_allclose(y[:, 12:], y[:, :-12], atol=1e-5)
    line = series.made_series(5, 50, PLAIN._replace(slope=1, waves=0))
    np.testing.assert_allclose(np.diff(line, 2), 0, atol=1e-5)


def test_noise_lingers_by_its_share():
    """Variance and autocorrelation of an AR(1), from its first step on."""
    y = series.made_series(20000, 8, PLAIN._replace(waves=0, noise=0.5, spread=0, lasting=0.6))
    np.testing.assert_allclose(y.var(0), 0.25 / (1 - 0.36), rtol=0.05)
    np.testing.assert_allclose([np.corrcoef(y[:, 3], y[:, 3 + lag])[0, 1] for lag in (1, 2)], [0.6, 0.36], atol=0.02)


def test_a_level_changes_where_all_do():
    y = series.made_series(400, 20, PLAIN._replace(waves=0, shifts_at=7))
    steps = np.diff(y)
    assert (np.delete(steps, 6, 1) == 0).all() and 2 < steps[:, 6].std() < 4


def test_parts_are_of_several_draws():
    made = series.made_splits(8, series.Made(4), context=8, horizon=2)
    assert {name: len(split) for name, split in made.items()} == {"train": 8, "test": 2, "shifted": 2}
    ends = [split.arrays["future"][:2] for split in made.values()]
    assert len({end.tobytes() for end in ends}) == 3
    late = series.made_splits(4000, PLAIN._replace(waves=0), context=20, horizon=2)["shifted"].arrays["past"]
    assert ((np.diff(late) != 0).mean(0) > 0.9).nonzero()[0].tolist() == [13]


def test_windows_of_a_table_keep_time_and_share_nothing_that_came(tmp_path):
    """What comes in the test's windows is in no window that is learned from."""
    path = tmp_path / "prices.csv"
    path.write_text("day,price\n" + "".join(f"{day},{day * 0.5}\n" for day in range(100)))
    train, test = series.own_series(str(path), "price", context=6, horizon=3).values()
    np.testing.assert_array_equal(train.arrays["past"][2], 0.5 * np.arange(2, 8))
    np.testing.assert_array_equal(train.arrays["future"][2], 0.5 * np.arange(8, 11))
    assert train.arrays["future"].max() == 39.5 and test.arrays["future"].min() == 40
    assert len(train) == 80 - 9 + 1 and len(test) == 20 - 3 + 1


def test_bad_tables_are_told_in_a_line(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("price,note\n1,a\n2,b\n3,c\n")
    with pytest.raises(BadInput, match="--target names the column"):
        series.own_series(str(path), "", context=2, horizon=1)
    with pytest.raises(BadInput, match="column 'prize' is not there.*did you mean price"):
        series.own_series(str(path), "prize", context=2, horizon=1)
    with pytest.raises(BadInput, match="note is 'a', and must be a number"):
        series.own_series(str(path), "note", context=2, horizon=1)
    with pytest.raises(BadInput, match="its 3 rows.*too few"):
        series.own_series(str(path), "price", context=2, horizon=1)
    with pytest.raises(BadInput, match="a series of 3 numbers has no window"):
        series.cut_windows(np.zeros(3), 3, 1)
