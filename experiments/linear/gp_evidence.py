"""The evidence has more than one maximum: eight points are waves with little noise, or noise about a slope.

Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 5.4.1. The evidence of a few points is drawn
over the length and the noise of a process, with the ways to its two maxima and the processes there.

    python -m experiments.linear.gp_evidence

Expected: the maxima are 6.95 and 7.79 nats below 0, as scikit-learn's. Seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean, optimizer
from adl.linear import gaussian_process as gp
from adl.linear.covariance import Kernel, squared_exponential

X = np.array([-4.1, -3.2, -1.4, -1.4, 0.6, 1.7, 2.0, 2.8], "f")
Y = np.array([-1.5, -0.2, -0.4, -0.1, 0.7, -0.1, -0.2, 0.0], "f")
STARTS = {"waves": (0.3, 1.5), "slope": (20.0, 0.9)}  # length and noise where each way begins
SPACE = np.linspace(-5, 5, 201).astype("f")  # where the processes are drawn
LENGTHS, NOISES = np.logspace(-0.8, 1.5, 70), np.logspace(-1.6, 0.5, 60)  # sides of the drawing


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claims are about."""

    ascent_steps: run.Count = 300  # towards more evidence
    learning_rate: run.Positive = 0.05  # of Adam, on logarithms; it falls to 0 along a cosine


PROTOCOL = "8 points, a squared exponential of variance 1; −log evidence in nats at the maximum where they are {}"
THEIRS = "scikit-learn's GaussianProcessRegressor from the same start: {}"
CLAIMS = (
    run.Claim(
        metric="landscape/waves",
        at_most=6.96,
        protocol=PROTOCOL.format("waves with little noise"),
        reference=THEIRS.format("6.95"),
    ),
    run.Claim(
        metric="landscape/slope",
        at_most=7.80,
        protocol=PROTOCOL.format("noise about a slope"),
        reference=THEIRS.format("7.79"),
    ),
)
SMOKE = {"ascent_steps": 10}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """The evidence over the plane, and two ways up."""
    tx = optimizer.adam(cfg.learning_rate, optimizer.cosine(cfg.ascent_steps))

    def landscape(points, key, state):
        x, y = points["x"], points["y"]

        def nats(length, noise):
            kernel, variance = model({"length": length, "noise": noise})
            return gp.log_evidence(kernel, x, y, noise_variance=variance)

        sides = (jnp.asarray(side, jnp.float32) for side in (LENGTHS, NOISES))
        seen = {"log_evidence": jax.vmap(jax.vmap(nats, (0, None)), (None, 0))(*sides)}
        for name, (length, noise) in STARTS.items():
            path = gp.way_up(key, model, {"length": length, "noise": noise}, tx, points, cfg.ascent_steps)
            kernel, variance = model({of: values[-1] for of, values in path.items()})
            new = jnp.asarray(SPACE[:, None])
            picture = gp.picture(key, kernel, x, y, new, noise_variance=variance, num_samples=6)
            seen |= {name: Mean.of(-picture.log_evidence), **{f"{name} {of}": path[of] for of in path}}
            seen |= {f"{name} {field}": value for field, value in picture._asdict().items()}
            seen |= {f"{name} best {of}": path[of][-1] for of in path}
        return seen

    return run.Experiment(
        final={"landscape": Partial(landscape, {"x": X[:, None], "y": Y})},
        figures=show.figures(evidence=evidence_page()),
    )


def model(theta: dict[str, Array]) -> tuple[Kernel, Array]:
    """The kernel of a length, and the noise."""
    return squared_exponential(theta["length"]), jnp.square(theta["noise"])


def evidence_page() -> show.Draw:
    """Two maxima, and the processes there."""
    processes = [
        show.process(
            *(SPACE, *(f"landscape/{name} {field}" for field in ("mean", "scale", "samples"))),
            points=(X, Y),
            title=f"length {{landscape/{name} best length:.2f}}, noise {{landscape/{name} best noise:.2f}}: "
            f"{{landscape/{name} log_evidence:.2f}} nats",
            title_color=color,
            y_lim=(-3.2, 3.2),
            x_label="x",
            y_label="y",
        )
        for name, color in zip(STARTS, show.COLORS[1:], strict=False)
    ]
    plane = show.landscape(
        *((LENGTHS, NOISES), "landscape/log_evidence"),
        ways=[(f"landscape/{name} length", f"landscape/{name} noise") for name in STARTS],
        bar_label="log p(y), nats",
        title="log evidence, and two ways up",
        **{"x_scale": "log", "y_scale": "log", "x_label": "length", "y_label": "noise (sd)"},
    )
    return show.page([plane, *processes], size=(3.4, 2.8))


if __name__ == "__main__":
    run.main(__name__)
