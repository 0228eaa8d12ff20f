"""Forecasts by networks that read a window of a series, and by what needs none.

Every window is brought to its own scale: its past has the mean 0 and the deviation 1 (Kim et al. 2022, "Reversible
Instance Normalization", eq. 1 and 2), so that a level that was never seen before is nothing new.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from adl import data
from adl.core import Key, Learner, Mean, Metrics, Probe, border, full_pass
from adl.measure.forecast import forecast_scores, pinball, quantile_levels
from adl.sequence import causal

AT_ONCE = 200  # windows
PLAIN = {"naive": "last value", "seasonal": "last season", "ridge": "linear autoregression"}


class Forecaster(nn.Module):
    """`[B, C]` windows in their own scale to `[B, H, Q]` quantiles of what comes: a linear forecast and a network.

    Source: the linear part: Lai et al. 2018, arXiv:1703.07015, section 3.6.
    """

    read: nn.Module  # `[B, C, 1] -> [B, H Q]`, as `nn.sequence_classifier.SequenceClassifier`
    horizon: int  # H

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, Q]` of windows `x [B, C]`; nothing makes the quantiles rise."""
        linear = nn.Dense(self.horizon, kernel_init=nn.initializers.zeros, name="linear")(x)
        return linear[..., None] + self.read(x[..., None]).reshape(len(x), self.horizon, -1)


def forecaster(kind: causal.Kind, horizon: int, num_quantiles: int, **of: Any) -> Forecaster:
    """A `Forecaster` that reads by a network of `causal.causal_classifier`, which takes `of`."""
    return Forecaster(causal.causal_classifier(kind, horizon * num_quantiles, **of), horizon)


def scaled_window(past: Array) -> tuple[Array, Array, Array]:
    """(`past [B, C]` in its own scale, its mean `[B, 1]`, its deviation `[B, 1]`, 1 where it never moved)."""
    mean = past.mean(-1, keepdims=True)
    deviation = jnp.sqrt(jnp.square(past - mean).mean(-1, keepdims=True))
    deviation = jnp.where(deviation > 0, deviation, 1)
    return (past - mean) / deviation, mean, deviation


def scaled_windows(key: Key, batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """`prepare` of "past" `[B, C]` and "future" `[B, H]`: both in the scale of the past."""
    border.check(batch, past="[B, C]", future="[B, H]")
    x, mean, deviation = scaled_window(batch["past"])
    return x, (batch["future"] - mean) / deviation


def quantile_loss(quantiles: Array, y: Array) -> Metrics:
    """`loss`: mean `pinball` of `quantiles [B, H, Q]` of what came `y [B, H]`, half the CRPS where they rise."""
    levels = quantile_levels(quantiles.shape[-1]).reshape(1, 1, -1)
    return {"loss": Mean.of(pinball(quantiles, y[..., None], levels).mean((-2, -1)))}


def forecast(model: nn.Module, variables, past: Array) -> Array:
    """`[B, H, Q]` quantiles of what comes after `past [B, C]`, in its unit, rising.

    Sorting only brings crossed quantiles nearer: Chernozhukov et al. 2010, Econometrica 78(3), proposition 4.
    """
    x, mean, deviation = scaled_window(past)
    return jnp.sort(mean[..., None] + deviation[..., None] * model.apply(variables, x), -1)


def with_plain_forecasts(
    train: data.Split, test: data.Split, *, period: int, num_quantiles: int, penalty: float = 1.0
) -> data.Split:
    """The windows of a test, and beside them quantiles of what comes, columns `[N, H, Q]` by the names of `PLAIN`.

    The last value goes on, the last season comes again, or what comes is linear in what was seen (ridge regression in
    each window's scale, one for each step ahead). About each are quantiles of what it was wrong by in training, in the
    scale of the windows, at each step ahead.

    Args:
      train: "past" `[M, C]` and "future" `[M, H]`.
      test: as many steps of N windows.
      period: steps of a season, at most C.
      num_quantiles: Q.
      penalty: > 0, of squared weights.
    """
    (x, y, *_), (new, _, mean, deviation) = (_scaled(split) for split in (train, test))
    horizon = y.shape[1]
    again = x.shape[1] - period + np.arange(horizon) % period
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    ways = {
        "naive": lambda past: np.repeat(past[:, -1:], horizon, 1),
        "seasonal": lambda past: past[:, again],
        "ridge": lambda past: past @ weights,
    }
    levels, found = quantile_levels(num_quantiles), dict(test.arrays)
    for name, way in ways.items():
        wrong = np.quantile(y - way(x), levels, axis=0).T[None]  # [1, H, Q]
        quantiles = mean[..., None] + deviation[..., None] * (way(new)[..., None] + wrong)
        found[name] = quantiles.astype(np.float32)
    return data.Split(found)


def _scaled(split: data.Split) -> tuple[np.ndarray, ...]:
    """Past and future in the scale of the past, its mean and its deviation; float64."""
    past, future = (split.arrays[name].astype(float) for name in ("past", "future"))
    mean, deviation = past.mean(1, keepdims=True), past.std(1, keepdims=True)
    deviation = np.where(deviation > 0, deviation, 1)
    return (past - mean) / deviation, (future - mean) / deviation, mean, deviation


def judged_forecasts(models: Mapping[str, nn.Module], test: data.Split, *, period: int) -> Probe:
    """Probe of what models, and ways that need none, forecast in a whole split.

    Args:
      models: `Forecaster`s by name, as in the state `{name: Learner}`; the parameters are the averaged ones.
      test: of `with_plain_forecasts`.
      period: as in `measure.forecast.forecast_scores`.
    Returns:
      Of each model, and of each of `PLAIN`, `NAME_mase`, `NAME_scrps`, `NAME_coverage`, and `NAME_quantiles`
      `[N, H, Q]`; and `loss`, the first model's `scrps`.
    """

    def measure(key: Key, state: Mapping[str, Learner], batch) -> dict[str, Mean | Array]:
        said = {name: forecast(model, state[name].averaged, batch["past"]) for name, model in models.items()}
        found = {}
        for name, quantiles in (said | {name: batch[name] for name in PLAIN}).items():
            told = forecast_scores(quantiles, batch["past"], batch["future"], period=period, weight=batch["mask"])
            found |= {"loss": found.get("loss", told["scrps"]), f"{name}_quantiles": quantiles}
            found |= {f"{name}_{what}": mean for what, mean in told.items()}
        return found

    return full_pass(measure, data.padded(test, AT_ONCE), len(test))


def says(model: nn.Module, name: str) -> Callable[[Key, Mapping[str, Learner], Array], Array]:
    """`(key, state, past [B, C]) -> [B, H Q]`, what the model of this name says: all quantiles of each step in turn."""

    def say(key: Key, state: Mapping[str, Learner], past: Array) -> Array:
        return forecast(model, state[name].averaged, past).reshape(len(past), -1)

    return say


def window_columns(context: int, horizon: int, num_quantiles: int) -> tuple[list[str], list[str]]:
    """What the C numbers are that are seen, and the H Q that are said."""
    seen = [f"{ago} before" if ago else "last" for ago in reversed(range(context))]
    levels = quantile_levels(num_quantiles)
    return seen, [f"{1 + ahead} ahead, {level:.1%}" for ahead in range(horizon) for level in levels]
