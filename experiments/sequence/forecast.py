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

Expected, over the mean distance of seasons, CRPS: temporal convolutions 0.676, linear autoregression 0.745, the last
season 0.937; where the level has just changed 0.604, 0.690 and 1.115. A minute on 2 cores that others used, too.
"""

import functools
from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp

from adl import data, run, show
from adl.core import BadInput, beside, optimizer
from adl.data import series
from adl.data.files import is_path
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
    num_layers: run.Count = 2  # but of the LSTM one, and of convolutions as many as see the window
    width: run.Count = 32  # of embeddings and layers
    num_heads: Annotated[run.Count, run.divisor_of("width")] = 4  # of the transformer
    learning_rate: run.Positive = 4e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts


MADE = "1,000 made windows of 48 steps, 12 ahead{}; temporal convolutions, 600 steps of 64 windows; mean of 3 seeds"
LATE = ", whose level changes 6 steps before their end"
CLAIMS = tuple(
    run.Claim(
        **{"metric": metric, bound: value, "overrides": {"models": ("tcn",), "num_seeds": 3}},
        protocol=f"{MADE.format(where)}; {what}",
        reference=f"in the same run: {plain}",
    )
    for metric, bound, value, where, what, plain in (
        ("test/tcn_scrps", "at_most", 0.68, "", "CRPS / distance of seasons", "linear 0.745, the last season 0.937"),
        ("shifted/tcn_scrps", "at_most", 0.61, LATE, "the same", "linear 0.690, the last season 1.115"),
        ("test/tcn_coverage", "at_least", 0.88, "", "share of what came in the band of 90 %", "linear 0.892"),
    )
)
SMOKE = {"num_steps": 2, "batch_size": 8, "width": 8, "num_layers": 1, "num_series": 32, "models": ("lstm",)}
SMOKE |= {"context": 8, "horizon": 3, "period": 4}


def load(cfg: Config) -> dict[str, data.Split]:
    """Windows of each part, and beside those of tests what forecasts them without a network."""
    causal.require_kinds(cfg.models)
    size = {"context": cfg.context, "horizon": cfg.horizon}
    if is_path(cfg.dataset):
        parts = series.own_series(cfg.dataset, cfg.target, test_share=cfg.test_share, **size)
    elif cfg.dataset == "made":
        parts = series.made_splits(cfg.num_series, series.Made(cfg.period, shift=cfg.shift), **size)
    else:
        raise BadInput(f"--dataset {cfg.dataset}: it must be made, or the path of a table (./{cfg.dataset}.csv)")
    train, of = parts.pop("train"), {"period": cfg.period, "num_quantiles": cfg.num_quantiles}
    tests = {name: forecasting.with_plain_forecasts(train, part, **of) for name, part in parts.items()}
    return {"train": train, **tests}


def build(cfg: Config, loaded: dict[str, data.Split], axis: str | None) -> run.Experiment:
    """The networks side by side, and what they and plain ways forecast in windows that none has seen."""
    of = {"num_layers": cfg.num_layers, "width": cfg.width, "num_heads": cfg.num_heads, "length": cfg.context}
    of["dtype"] = jnp.dtype(cfg.precision)
    models = {kind: forecasting.forecaster(kind, cfg.horizon, cfg.num_quantiles, **of) for kind in cfg.models}
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    of = {"loss": forecasting.quantile_loss, "prepare": forecasting.scaled_windows, "axis": axis}
    judge = functools.partial(forecasting.judged_forecasts, models, period=cfg.period)
    probes = {name: judge(part) for name, part in loaded.items() if name != "train"}
    seen, told = map(run.Cells, forecasting.window_columns(cfg.context, cfg.horizon, cfg.num_quantiles))
    names, first = {kind: causal.NAMES[kind] for kind in models}, cfg.models[0]
    ways, (past, future) = forecasting.PLAIN, (loaded["test"].arrays[name] for name in ("past", "future"))
    return run.Experiment(
        beside({kind: fit(model, tx, **of) for kind, model in models.items()}),
        data.shuffled(loaded["train"], cfg.batch_size),
        probes={"test": probes.pop("test")},
        final=probes,
        offers={**models, "predict": run.Offer(forecasting.says(models[first], first), seen, told)},
        figures=show.figures(
            learning=show.curves(
                {called: f"test/{kind}_scrps" for kind, called in names.items()},
                y_label="CRPS / distance of seasons",
                title=f"Windows of {cfg.context} steps, {cfg.horizon} ahead",
                references={f"{ways[way]} {{:.3f}}": f"test/{way}_scrps" for way in ("seasonal", "ridge")},
                settled=0.25,
            ),
            bands=show.forecast_bands({first: names[first], "ridge": ways["ridge"]}, past=past, future=future),
            steps=show.forecasts_by_step(names | {way: ways[way] for way in ("seasonal", "ridge")}, future=future),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
