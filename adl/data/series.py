"""Series of numbers in time: made of a trend, seasons, noise that lingers and changes of level; or a column of a table.

A row is a window: what was seen `[C]` and what came then `[H]`. Of one long series the last windows are for the test,
and nothing of what came in these is in the others.
"""

from typing import NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data import files
from adl.data.files.sheets import number_columns
from adl.data.split import Split


class Made(NamedTuple):
    """How series are drawn; every series has its own numbers."""

    period: int = 12  # steps of a season, >= 2
    slope: float = 0.05  # standard deviation of the trend, a step
    waves: int = 3  # harmonics of the season, each of normal size over its number
    lasting: float = 0.6  # share of the noise that is left a step later, in [0, 1)
    noise: float = 0.5  # standard deviation of what is new in it, the median of all series
    spread: float = 1.0  # standard deviation of that number's logarithm from series to series
    shift: float = 0.01  # probability of a change of level at a step
    jump: float = 3.0  # standard deviation of such a change
    shifts_at: int = -1  # a step at which all change their level; -1: none


def made_series(num: int, length: int, made: Made = Made(), *, seed: int = 0) -> np.ndarray:  # noqa: B008  it cannot change
    """`[N, T]` series y_t = slope t + season_t + level_t + e_t, with e_t = lasting e_{t-1} + noise n_t.

    Args:
      num: N >= 1.
      length: T >= 1.
      made: how they are drawn.
      seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(length)[None]
    wave = 1 + np.arange(made.waves)
    angles = 2 * np.pi * wave[:, None] * time / made.period  # [waves, T]
    size = rng.normal(size=(2, num, made.waves)) / wave
    season = 2 * (size[0] @ np.sin(angles) + size[1] @ np.cos(angles))
    changes = rng.random((num, length)) < made.shift
    if made.shifts_at >= 0:
        changes[:, made.shifts_at] = True
    level = np.cumsum(made.jump * changes * rng.normal(size=(num, length)), 1)
    e = made.noise * np.exp(made.spread * rng.normal(size=(num, 1))) * rng.normal(size=(num, length))
    e[:, 0] /= np.sqrt(1 - made.lasting**2)  # as if it had gone on for ever
    for t in range(1, length):
        e[:, t] += made.lasting * e[:, t - 1]
    slope = made.slope * rng.normal(size=(num, 1))
    return (slope * time + season + level + e).astype(np.float32)


def cut_windows(series: np.ndarray, context: int, horizon: int) -> Split:
    """Windows "past" `[N, C]` and "future" `[N, H]` of each place of a series `[T]`; of series `[N, T]` their ends.

    Raises:
      BadInput: if the series is too short.
    """
    length = context + horizon
    if series.shape[-1] < length:
        raise BadInput(
            f"a series of {series.shape[-1]} numbers has no window of {context} that are seen and {horizon} that come"
        )
    rows = series[:, -length:] if series.ndim == 2 else np.lib.stride_tricks.sliding_window_view(series, length)
    return Split({"past": np.ascontiguousarray(rows[:, :context]), "future": np.ascontiguousarray(rows[:, context:])})


def made_splits(num: int, made: Made, *, context: int, horizon: int) -> dict[str, Split]:
    """Windows of made series: "train", and a quarter as many each of "test" and "shifted".

    The last change their level half a season before what comes.

    Args:
      num: N >= 4.
      made: how they are drawn.
      context: C > half a season.
      horizon: H >= 1.
    """
    late = made._replace(shifts_at=context - max(made.period // 2, 1))
    parts = {"train": (num, made), "test": (num // 4, made), "shifted": (num // 4, late)}
    return {
        name: cut_windows(made_series(size, context + horizon, of, seed=i), context, horizon)
        for i, (name, (size, of)) in enumerate(parts.items())
    }


def own_series(path: str, column: str, *, context: int, horizon: int, test_share: float = 0.2) -> dict[str, Split]:
    """Windows of a column of a table, in the order of its rows: "train", and the last as "test".

    Args:
      path: of a .csv, .tsv or .parquet file.
      column: of numbers.
      context: C >= 1.
      horizon: H >= 1.
      test_share: in (0, 1), of the rows, the last: what comes in windows of the test.
    Raises:
      BadInput: naming what is not there or no number, or if either part has no window.
    """
    if not column:
        raise BadInput(f"--dataset {path}: --target names the column that is to be forecast")
    try:
        values = number_columns(files.listing_of(path), [column])[0][:, 0]
    except BadInput as error:
        raise BadInput(f"--dataset {error}") from None
    first = len(values) - int(test_share * len(values))  # of the rows that come in the test
    if first < context + horizon or len(values) - first < horizon:
        raise BadInput(
            f"--dataset {path}: its {len(values)} rows, the last {len(values) - first} of them for the test, are too "
            f"few for {context} that are seen and {horizon} that come (--context, --horizon, --test_share)"
        )
    values = values.astype(np.float32)
    parts = {"train": values[:first], "test": values[first - context :]}
    return {name: cut_windows(part, context, horizon) for name, part in parts.items()}
