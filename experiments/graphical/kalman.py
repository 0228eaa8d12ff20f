"""A point that drifts in the plane, seen through noise and sometimes not at all: where it is, and how sure that is.

Kalman 1960; Rauch, Tung & Striebel 1965; Shumway & Stoffer 1982. The velocity of each coordinate is a random walk
(white noise of acceleration), positions are seen each second except in two gaps. A step is one of EM: from noises that
are both far off it learns the covariances of process and measurement, from 64 tracks. The filter and the smoother of
the true system are held to the truth of 1,024 other tracks.

    python -m experiments.graphical.kalman
    >>> track = run.load("runs/graphical/kalman").predict(places)
    python -m experiments.graphical.kalman --sweep wrong_by=1,2,4,8

Expected: normalised squared errors of 1 in the mean, in the gap too; the noises within 1 % of the truth. With --noise
all the process's covariance is free, and its likeliest value has 0.74 of the truth's size: in one direction tracks say
little. A minute.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import Mean
from adl.graphical import kalman
from adl.graphical.lds_em import lds_em
from adl.measure.consistency import NEES, normalised_error, root_mean_square

LENGTH, NUM_TRAIN, NUM_TEST = 60, 64, 1024  # seconds of a track, and tracks
GAPS = ((15, 25), (40, 48))  # seconds without a measurement
MIDDLE = 20  # a second within the first gap
PROCESS = 0.3  # root of the acceleration's spectral density, m / s^1.5
MEASUREMENT = 1.0  # standard deviation of a coordinate, m
SEEN = np.array([not any(a <= t < b for a, b in GAPS) for t in range(LENGTH)], np.float32)
LEARN = {"scale": ("dynamics_scale", "emission_scale"), "all": ("dynamics_noise", "emission_noise")}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    any_length = True
    num_steps: run.Count = 100
    batch_size: run.Count = NUM_TRAIN  # tracks a step; the default is all
    log_every: run.Count = 1
    eval_every: run.Count = 5
    noise: Literal["scale", "all"] = "scale"  # what EM learns of a covariance: its size, or all of it
    wrong_by: run.Positive = 4.0  # the factor by which EM's first noises are off, too small and too large


WITHIN = {"at_least": 0.943, "at_most": 1.057}
CHI_SQUARED = "1, and 99 % of chi-squared with 4,096 degrees over their number within 0.943 ... 1.057"
FOUND = "that EM finds from 64 tracks of 60 s, over the true one, after 100 steps"
CLAIMS = (
    run.Claim("errors/filter_end", f"true system: {NEES}, filter, last second", **WITHIN, reference=CHI_SQUARED),
    *(
        run.Claim(
            f"errors/{name}_gap",
            f"true system: {NEES}, {name}, in the middle of the first gap",
            **WITHIN,
            reference=CHI_SQUARED,
        )
        for name in ("smoother", "filter")
    ),
    run.Claim(
        "errors/rmse_ratio",
        "true system: root mean square error of the smoothed positions of 1,024 tracks, all seconds, over the root "
        "mean posterior variance",
        at_least=0.97,
        at_most=1.03,
        reference="1 in closed form",
    ),
    run.Claim("test/process", f"root spectral density {FOUND}", at_least=0.95, at_most=1.05, reference="1"),
    run.Claim("test/measurement", f"standard deviation {FOUND}", at_least=0.95, at_most=1.05, reference="1"),
)
SMOKE = {"num_steps": 2}
SWEEP = "wrong_by=2,4"  # of the tests


def load(cfg: Config) -> data.Split:
    """Measurements of tracks to learn from."""
    _, x = drifting(jax.random.key(0), NUM_TRAIN)
    return data.Split({"x": np.asarray(x), "mask": np.broadcast_to(SEEN, x.shape[:2])})


def drifting(key: jax.Array, num_tracks: int) -> tuple[jax.Array, jax.Array]:
    """States `[N, T, 4]` and measurements `[N, T, 2]` of the true system."""
    truth = kalman.constant_velocity(PROCESS, MEASUREMENT)
    return jax.vmap(lambda key: kalman.sample(key, truth, LENGTH))(jax.random.split(key, num_tracks))


def build(cfg: Config, loaded: data.Split, axis: str | None) -> run.Experiment:
    """EM on the noises of tracks, and what the exact smoother knows."""
    start = kalman.constant_velocity(PROCESS / cfg.wrong_by, MEASUREMENT * cfg.wrong_by)
    return run.Experiment(
        lds_em(lambda key, batch: start, learn=LEARN[cfg.noise], axis=axis),
        data.shuffled(loaded, cfg.batch_size),
        probes={"test": noises},
        final={"errors": errors},
        offers={"predict": run.Offer(kalman.smoothed_path, run.Cells(("x", "y")), run.Cells(), together=True)},
        figures=show.figures(
            track=show.track,
            errors=show.track_errors(GAPS, NUM_TEST),
            noises=show.curves(
                {"process": "test/process", "measurement": "test/measurement"},
                y_label="learned / true",
                title="Noises by EM",
                y_scale="log",
                references={"truth": 1.0},
                ticks={0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4"},
            ),
        ),
    )


def noises(key, system) -> dict[str, Mean]:
    """Sizes of the learned noises, over the true ones."""
    unit = kalman.constant_velocity(1.0, 1.0).dynamics.covariance
    process = jnp.sqrt(jnp.trace(jnp.linalg.solve(unit, system.dynamics.covariance)) / 4)
    measurement = jnp.sqrt(jnp.trace(system.emission.covariance) / 2)
    return {"process": Mean.of(process / PROCESS), "measurement": Mean.of(measurement / MEASUREMENT)}


def errors(key, system) -> dict[str, Mean | jax.Array]:
    """Of the true system's filter and smoother, on other tracks."""
    states, x = drifting(jax.random.key(1), NUM_TEST)
    seen = jax.vmap(lambda x: kalman.smooth(kalman.constant_velocity(PROCESS, MEASUREMENT), x, jnp.asarray(SEEN)))(x)
    filtered, smoothed = seen.filtered.filtered, seen.smoothed
    of_filter, of_smoother = (normalised_error(states, belief) for belief in (filtered, smoothed))
    rms = root_mean_square(states, smoothed, (0, 2))
    return {
        "filter_end": Mean.of(of_filter[-1]),
        "filter_gap": Mean.of(of_filter[MIDDLE]),
        "smoother_gap": Mean.of(of_smoother[MIDDLE]),
        "rmse_ratio": Mean.of(jnp.sqrt(jnp.square(rms[0]).mean() / jnp.square(rms[1]).mean())),
        "rmse filter": root_mean_square(states, filtered, (0, 2)),
        "rmse smoother": rms,
        "states": states[0],
        "x": x[0],
        "mask": jnp.asarray(SEEN),
        "filtered": filtered.loc[0],
        "smoothed": smoothed.loc[0],
        "filtered covariance": filtered.covariance[0],
        "smoothed covariance": smoothed.covariance[0],
    }


if __name__ == "__main__":
    run.main(__name__)
