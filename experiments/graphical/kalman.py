"""A point that drifts in the plane, seen through noise and sometimes not at all: where it is, and how sure that is.

Kalman 1960; Rauch, Tung & Striebel 1965; Shumway & Stoffer 1982. The velocity of each coordinate is a random walk
(white noise of acceleration), positions are seen each second except in two gaps. A step is one of EM: from noises that
are both far off it learns the covariances of process and measurement, from 64 tracks. The filter and the smoother of
the true system are held to the truth of 1,024 other tracks.

    python -m experiments.graphical.kalman
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
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from adl import data, run, show
from adl.core import Mean
from adl.graphical import LDS, kalman, lds_em
from adl.prob.gaussian import LinearGaussian, MultivariateNormal

LENGTH, NUM_TRAIN, NUM_TEST = 60, 64, 1024  # seconds of a track, and tracks
GAPS = ((15, 25), (40, 48))  # seconds without a measurement
MIDDLE = 20  # a second within the first gap
PROCESS = 0.3  # root of the acceleration's spectral density, m / s^1.5
MEASUREMENT = 1.0  # standard deviation of a coordinate, m
SEEN = np.ones(LENGTH, np.float32)
for _first, _end in GAPS:
    SEEN[_first:_end] = 0


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 100
    batch_size: run.Count = NUM_TRAIN  # tracks a step; the default is all
    log_every: run.Count = 1
    eval_every: run.Count = 5
    noise: Literal["scale", "all"] = "scale"  # what EM learns of a covariance: its size, or all of it
    wrong_by: run.Positive = 4.0  # the factor by which EM's first noises are off, too small and too large


NEES = "mean over 1,024 tracks and 4 dimensions of the squared error of a state in units of its posterior covariance"
CLAIMS = (
    *(
        run.Claim(
            metric=f"errors/{name}",
            at_least=0.943,
            at_most=1.057,
            protocol=f"true system: {NEES}, {where}",
            reference="1, and 99 % of chi-squared with 4,096 degrees over their number within 0.943 ... 1.057",
        )
        for name, where in (
            ("filter_end", "filter, last second"),
            ("smoother_gap", "smoother, in the middle of the first gap"),
            ("filter_gap", "filter, in the middle of the first gap"),
        )
    ),
    run.Claim(
        metric="errors/rmse_ratio",
        at_least=0.97,
        at_most=1.03,
        protocol="true system: root mean square error of the smoothed positions of 1,024 tracks, all seconds, over the "
        "root mean posterior variance",
        reference="1 in closed form",
    ),
    *(
        run.Claim(
            metric=f"test/{name}",
            at_least=0.95,
            at_most=1.05,
            protocol=f"{what} that EM finds from 64 tracks of 60 s, over the true one, after 100 steps",
            reference="1",
        )
        for name, what in (("process", "root spectral density"), ("measurement", "standard deviation"))
    ),
)
SMOKE = {"num_steps": 3}
SWEEP = "wrong_by=2,4"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Tracks, EM on their noises, and what the exact smoother knows."""
    truth = tracking(PROCESS, MEASUREMENT)
    simulate = jax.vmap(lambda key: kalman.sample(key, truth, LENGTH))
    train = tracks(NUM_TRAIN)
    mask = np.broadcast_to(SEEN, train.shape[:2])
    algorithm = lds_em(
        lambda key, batch: tracking(PROCESS / cfg.wrong_by, MEASUREMENT * cfg.wrong_by),
        learn={
            "scale": ("dynamics_scale", "emission_scale"),
            "all": ("dynamics_noise", "emission_noise"),
        }[cfg.noise],
        axis=axis,
    )

    def look(key, system):
        unit = tracking(1.0, 1.0).dynamics.covariance
        process = jnp.sqrt(jnp.trace(jnp.linalg.solve(unit, system.dynamics.covariance)) / 4)
        measurement = jnp.sqrt(jnp.trace(system.emission.covariance) / 2)
        return {"process": Mean.of(process / PROCESS), "measurement": Mean.of(measurement / MEASUREMENT)}

    def errors(key, system):
        states, x = simulate(jax.random.split(jax.random.key(1), NUM_TEST))
        seen = jax.vmap(lambda x: kalman.smooth(truth, x, jnp.asarray(SEEN)))(x)
        filtered, smoothed = seen.filtered.filtered, seen.smoothed

        def nees(belief):
            """`[T]` mean over tracks and dimensions."""
            error = states - belief.loc
            scaled = jnp.linalg.solve(belief.covariance, error[..., None])[..., 0]
            return (error * scaled).sum(-1).mean(0) / states.shape[-1]

        def rmse(belief):
            """`[2, T]` of positions: measured, and expected."""
            error = jnp.square(states - belief.loc)[..., ::2].mean((0, 2))
            variance = jnp.diagonal(belief.covariance, axis1=-2, axis2=-1)[..., ::2].mean((0, 2))
            return jnp.sqrt(jnp.stack([error, variance]))

        of_filter, of_smoother, rms = nees(filtered), nees(smoothed), rmse(smoothed)
        return {
            "filter_end": Mean.of(of_filter[-1]),
            "filter_gap": Mean.of(of_filter[MIDDLE]),
            "smoother_gap": Mean.of(of_smoother[MIDDLE]),
            "rmse_ratio": Mean.of(jnp.sqrt(jnp.square(rms[0]).mean() / jnp.square(rms[1]).mean())),
            "rmse filter": rmse(filtered),
            "rmse smoother": rms,
            "states": states[0],
            "x": x[0],
            "filtered": filtered.loc[0],
            "smoothed": smoothed.loc[0],
            "filtered covariance": filtered.covariance[0],
            "smoothed covariance": smoothed.covariance[0],
        }

    return run.Experiment(
        algorithm,
        data.shuffled(data.Split({"x": train, "mask": mask}), cfg.batch_size),
        probes={"test": look},
        final={"errors": errors},
        figures=show.figures(
            track=track_figure,
            errors=errors_figure,
            noises=noises_figure,
        ),
    )


def tracks(num_tracks: int) -> np.ndarray:
    """Measurements `[num_tracks, T, 2]` of the true system, by NumPy: within the program of a sweep JAX would trace."""
    rng = np.random.default_rng(0)
    step, place, noise = np.eye(4), np.zeros((4, 2)), PROCESS**2 * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    step[0, 1] = step[2, 3] = 1.0
    place[[0, 2], [0, 1]] = 1.0
    root = np.kron(np.eye(2), np.linalg.cholesky(noise))
    states = [rng.normal(size=(num_tracks, 4)) * [5.0, 1.0, 5.0, 1.0]]
    for _ in range(LENGTH - 1):
        states.append(states[-1] @ step.T + rng.normal(size=(num_tracks, 4)) @ root.T)
    measured = np.stack(states, 1) @ place
    return (measured + MEASUREMENT * rng.normal(size=measured.shape)).astype(np.float32)


def tracking(process: float, measurement: float) -> LDS:
    """Position and velocity of x, then of y, second by second; positions are measured.

    Source: Bar-Shalom, Li & Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, section 6.2.2.
    """
    both = jnp.eye(2)
    return LDS(
        MultivariateNormal(jnp.zeros(4), jnp.diag(jnp.array([25.0, 1.0, 25.0, 1.0]))),
        LinearGaussian(
            jnp.kron(both, jnp.array([[1.0, 1.0], [0.0, 1.0]])),
            jnp.zeros(4),
            process**2 * jnp.kron(both, jnp.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])),
        ),
        LinearGaussian(jnp.kron(both, jnp.array([[1.0, 0.0]])), jnp.zeros(2), measurement**2 * both),
    )


def track_figure(outcome: run.Outcome) -> Figure:
    """A track in the plane: filter and smoother, with two deviations about every second place."""
    seen = {name.removeprefix("errors/"): a for name, a in outcome.arrays.items() if name.startswith("errors/")}
    figure, axes = show.panel(1, 2, size=(4.0, 4.0))
    for ax, name, color in zip(axes[0], ("filtered", "smoothed"), show.COLORS, strict=False):
        ax.plot(*seen["states"][:, ::2].T, color="black", linewidth=1, label="truth")
        ax.plot(*seen["x"][SEEN > 0].T, ".", color="0.6", markersize=4, label="measured")
        ax.plot(*seen[name][:, ::2].T, color=color, label=f"{name} mean")
        for mean, covariance, is_seen in zip(seen[name], seen[f"{name} covariance"], SEEN, strict=True):
            variance, directions = np.linalg.eigh(covariance[::2, ::2])
            angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
            width, height = 4 * np.sqrt(variance[::-1])
            alpha = 0.1 if is_seen else 0.22
            ax.add_patch(Ellipse(mean[::2], width, height, angle=angle, color=color, alpha=alpha, linewidth=0))
        ax.set(xlabel="x (m)", ylabel="y (m)", title=f"{name.capitalize()}, ± 2 sd")
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(loc="best", fontsize=8, frameon=False)
    return figure


def errors_figure(outcome: run.Outcome) -> Figure:
    """Errors of position over time, and what the posterior says that they should be."""
    figure, axes = show.panel(size=(5.6, 3.1))
    ax = axes[0, 0]
    for name, color in zip(("filter", "smoother"), show.COLORS, strict=False):
        error, expected = outcome.arrays[f"errors/rmse {name}"]
        ax.plot(expected, color=color, label=f"{name}, by its posterior")
        ax.plot(error, "o", color=color, markersize=3, label=f"{name}, of {NUM_TEST:,} tracks")
    for first, end in GAPS:
        ax.axvspan(first - 0.5, end - 0.5, color="0.9", linewidth=0)
    ax.set(xlabel="time (s); grey: nothing is measured", ylabel="rms error of a coordinate (m)", ylim=(0, None))
    ax.set_title("Errors are as large as they are believed to be")
    ax.legend(fontsize=8, frameon=False)
    return figure


def noises_figure(outcome: run.Outcome) -> Figure:
    """Noises that EM finds."""
    figure = show.curves(
        {"process": "test/process", "measurement": "test/measurement"},
        y_label="learned / true",
        title="Noises by EM",
        y_scale="log",
        references={"truth": 1.0},
    )(outcome)
    figure.axes[0].set_yticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    figure.axes[0].minorticks_off()
    return figure


if __name__ == "__main__":
    run.main(__name__)
