"""Forecasts of series with trend, season, noise and changes of level: networks beside what needs none.

An LSTM (Hochreiter & Schmidhuber 1997), temporal convolutions (Bai et al. 2018, arXiv:1803.01271), linear recurrent
units (Orvieto et al. 2023, arXiv:2303.06349) or a transformer read a window in its own scale (Kim et al. 2022) and say
quantiles of what comes (Koenker & Bassett 1978). Beside them: the last value, the last season, and ridge regression on
the window, with the quantiles of what each was wrong by in training.

    python -m experiments.sequence.forecast
    >>> quantiles = run.load("runs/sequence/forecast").predict(rows)
    python -m experiments.sequence.forecast --models lstm tcn lru gpt
    python -m experiments.sequence.forecast --sweep context=24,48,96 --num_seeds 3
    python -m experiments.sequence.forecast --dataset ./prices.csv --target price --period 7

Expected:
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import BadInput, beside, optimizer
from adl.data import series
from adl.data.files import is_path
from adl.nn.sequence_classifier import SequenceClassifier
from adl.sequence import causal, forecasting
from adl.supervised.regression import fit


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "made"  # made anew, or the path of a table in the order of time
    target: str = ""  # column of the table that is forecast
    test_share: run.Share = 0.2  # of the table's rows, the last
    num_steps: run.Count = 600
    batch_size: run.Split = 64
    eval_every: run.Count = 100
    steps_per_call: run.Count = 10
    best: str = "test/loss"  # of the first of the models
    models: tuple[causal.Kind, ...] = ("tcn", "lstm")  # that learn side by side, of the same batches
    context: run.Several = 48  # steps of a window that are seen
    horizon: run.Count = 12  # steps that are forecast
    period: Annotated[run.Count, run.below("context")] = 12  # steps of a season
    num_quantiles: run.Several = 10  # that are forecast of each step: of 10 the band of 90 %
    num_series: run.Points = 4000  # that are made to learn from, and a quarter as many to test
    shift: run.Fraction = 0.01  # probability that a made series changes its level, at each step
    num_layers: run.Count = 2  # of all but the convolutions, which have as many as see the window, and the LSTM's one
    width: run.Count = 32  # of embeddings and layers
    num_heads: Annotated[run.Count, run.divisor_of("width")] = 4  # of the transformer
    learning_rate: run.Positive = 4e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts


MADE = "1,000 made windows of 48 steps, 12 ahead{}; temporal convolutions, 600 steps of 64 of 4,000 others; mean of 3 seeds"
LATE, SCORE = ", whose level changes 6 steps before their end", "; CRPS over the mean distance of seasons"
CLAIMS = (
    run.Claim(
        metric="test/tcn_scrps",
        at_most=0.7,
        overrides={"models": ("tcn",), "num_seeds": 3},
        protocol=MADE.format("") + SCORE,
        reference="in the same run: linear autoregression 0.745, the last season 0.937",
    ),
    run.Claim(
        metric="shifted/tcn_scrps",
        at_most=0.63,
        overrides={"models": ("tcn",), "num_seeds": 3},
        protocol=MADE.format(LATE) + SCORE,
        reference="in the same run: linear autoregression 0.690, the last season 1.115",
    ),
    run.Claim(
        metric="test/tcn_coverage",
        at_least=0.87,
        overrides={"models": ("tcn",), "num_seeds": 3},
        protocol=MADE.format("") + "; how often what came is in the band of 90 %",
        reference="0.9, at best; linear autoregression 0.892",
    ),
)
SMOKE = {"num_steps": 2, "batch_size": 8, "width": 8, "num_layers": 1, "num_series": 32, "models": ("lstm",)}
SMOKE |= {"context": 8, "horizon": 3, "period": 4}


class Loaded(NamedTuple):
    """Windows, and what forecasts them without a network."""

    train: data.Split
    tests: dict[str, data.Split]
    plain: dict[str, dict[str, np.ndarray]]  # of each test


def load(cfg: Config) -> Loaded:
    """Made windows or those of a table; of made ones also such whose level changes half a season before their end."""
    if not cfg.models or len(set(cfg.models)) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: one or several of {', '.join(causal.NAMES)}, each once")
    size = {"context": cfg.context, "horizon": cfg.horizon}
    if is_path(cfg.dataset):
        train, test = series.own_series(cfg.dataset, cfg.target, test_share=cfg.test_share, **size)
        tests = {"test": test}
    else:
        made = series.Made(cfg.period, shift=cfg.shift)
        late = made._replace(shifts_at=cfg.context - max(cfg.period // 2, 1))
        parts = ((cfg.num_series, made), (cfg.num_series // 4, made), (cfg.num_series // 4, late))
        rows = [series.made_series(n, sum(size.values()), of, seed=i) for i, (n, of) in enumerate(parts)]
        train, *rest = (series.cut_windows(of, **size) for of in rows)
        tests = dict(zip(("test", "shifted"), rest, strict=True))
    of = {"period": cfg.period, "num_quantiles": cfg.num_quantiles}
    return Loaded(train, tests, {name: forecasting.plain_forecasts(train, test, **of) for name, test in tests.items()})


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """The networks side by side, and what they and plain ways forecast in windows that none has seen."""
    train, tests, plain = loaded
    models = {kind: network(cfg, kind) for kind in cfg.models}
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    of = {"loss": forecasting.quantile_loss, "prepare": forecasting.scaled_windows, "axis": axis}
    judged = {name: forecasting.judged_forecasts(models, test, period=cfg.period) for name, test in tests.items()}
    plainly = {
        f"plain_{name}": forecasting.judged_plainly(plain[name], test, period=cfg.period)
        for name, test in tests.items()
    }
    names, test = {kind: causal.NAMES[kind] for kind in models}, tests["test"].arrays
    bands = {called: f"test/{kind}_quantiles" for kind, called in names.items()}
    bands |= {called: f"plain_test/{way}_quantiles" for way, called in forecasting.PLAIN.items() if way != "naive"}
    seen = [f"{t} before" if t else "last" for t in range(cfg.context - 1, -1, -1)]
    levels = forecasting.quantile_levels(cfg.num_quantiles)
    told = [f"{1 + t} ahead, {level:.1%}" for t in range(cfg.horizon) for level in levels]

    def say(key, state, rows):
        first = cfg.models[0]
        return forecasting.forecast(models[first], state[first].averaged, rows).reshape(len(rows), -1)

    return run.Experiment(
        beside({kind: fit(model, tx, **of) for kind, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": judged.pop("test")},
        final=judged | plainly,
        offers={**models, "predict": run.Offer(say, run.Cells(seen), run.Cells(told))},
        figures=show.figures(
            learning=show.curves(
                {called: f"test/{kind}_scrps" for kind, called in names.items()},
                y_label="CRPS / distance of seasons",
                title=f"Windows of {cfg.context} steps, {cfg.horizon} ahead",
                references={
                    "last season {:.3f}": "plain_test/seasonal_scrps",
                    "linear {:.3f}": "plain_test/ridge_scrps",
                },
                settled=0.25,
            ),
            bands=show.forecast_bands(dict(list(bands.items())[:: len(bands) - 1]), **test),
            steps=show.forecasts_by_step(bands, future=test["future"]),
        ),
    )


def network(cfg: Config, kind: causal.Kind) -> forecasting.Forecaster:
    """`[B, C] -> [B, H, Q]`."""
    layers = {"lstm": 1, "tcn": max((cfg.context // 4).bit_length(), 1)}.get(kind, cfg.num_layers)
    width = 2 * cfg.width if kind == "lstm" else cfg.width
    of = {"num_layers": layers, "width": width, "num_heads": cfg.num_heads, "dtype": jnp.dtype(cfg.precision)}
    read, outputs = causal.causal_layers(kind, **of), cfg.horizon * cfg.num_quantiles
    layers = SequenceClassifier(read, outputs, cfg.width, summary="last", dtype=of["dtype"])
    return forecasting.Forecaster(layers, cfg.horizon)


if __name__ == "__main__":
    run.main(__name__)
