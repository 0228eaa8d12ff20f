"""Densities without a form: histogram, kernels and nearest neighbours of 1,000 points, too local, right and blurred.

Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.5; the density with five claws is of Marron &
Wand 1992, Annals of Statistics 20(2), table 1. The bandwidth of the kernels is the likeliest when each point is left
out.

    python -m experiments.prob.density

Expected: kernels lose 0.037 nats. Seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean
from adl.prob import density, information, kernel, mixture

NUM_POINTS, NUM_TEST = 1000, 20000
GRID = np.linspace(-3, 3, 601).astype("f")  # where densities are drawn and compared
BANDWIDTHS = np.geomspace(0.02, 1, 40).astype("f")
BINS, NEIGHBOURS = (200, 40, 8), (4, 40, 250)  # too local, right, blurred


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claim is about."""

    local: run.Positive = 0.1  # bandwidth of the kernels that are too local, of the right one


CLAIMS = (
    run.Claim(
        metric="density/excess",
        at_most=0.0371,
        protocol="five claws, 1,000 points: -log p on 20,000 others less the true density's, nats; Gaussian kernels "
        "whose bandwidth, of 40 from 0.02 to 1, is the likeliest when each point is left out",
        reference="scikit-learn's KernelDensity 0.0370, of the same 40 bandwidths by leave-one-out",
    ),
)
SMOKE = {}
SWEEP = "local=0.05,0.2"  # of the tests


def load(cfg: Config) -> tuple[Array, Array]:
    """Points, and others."""
    return tuple(mixture.claw().sample(jax.random.key(k), (n,)) for k, n in ((1, NUM_POINTS), (2, NUM_TEST)))


def build(cfg: Config, loaded: tuple[Array, Array], axis: str | None) -> run.Experiment:
    """Three kinds of density, each at three widths."""

    def densities(points, key, state):
        """On the grid; what the best kernels lose on other points; and distances, total variations over the grid."""
        x, others, truth = points[0][:, None], points[1], mixture.claw()
        width = density.likeliest_bandwidth(x, jnp.asarray(BANDWIDTHS))
        excess = truth.log_prob(others) - kernel.gaussian_log_prob(others[:, None], x, width)
        grid, widths = jnp.asarray(GRID), jnp.stack([width * cfg.local, width, density.silverman(x)])
        log_probs = {
            "histogram": [density.histogram(x[:, 0], -3, 3, num_bins=num).log_prob(grid) for num in BINS],
            "kernels": [kernel.gaussian_log_prob(grid[:, None], x, w) for w in widths],
            "neighbours": [density.neighbour_log_prob(grid[:, None], x, k=k) for k in NEIGHBOURS],
        }
        p, cell, seen = jnp.exp(truth.log_prob(grid)), float(GRID[1] - GRID[0]), {}
        for name, (local, right, blurred) in log_probs.items():
            rows = jnp.exp(jnp.stack([local, right, blurred]))
            apart = information.total_variation(rows, p[None], cell)
            seen |= {f"{name}_distance": Mean.of(apart[1])}
            for i in range(3):
                seen |= {f"{name} {i}": rows[i], f"{name} {i} apart": apart[i]}
        entropy = information.neighbour_entropy(x) + truth.log_prob(x[:, 0]).mean()
        return {
            **{"excess": Mean.of(excess), "entropy_error": Mean.of(jnp.abs(entropy)), **seen, "truth": p},
            **{f"width {i}": widths[i] for i in range(3)},
        }

    return run.Experiment(
        final={"density": Partial(densities, loaded)}, figures=show.figures(densities=densities_page(loaded[0]))
    )


def densities_page(points: Array) -> show.Draw:
    """Each kind of density, from too local to blurred, beside the truth."""
    texts = {
        "histogram": [f"{num} bins" for num in BINS],
        "kernels": [
            f"width {{density/width {i}:.2f}}{note}" for i, note in enumerate(("", " (left out)", " (Silverman)"))
        ],
        "neighbours": [f"{k} neighbours" for k in NEIGHBOURS],
    }
    rows = [
        [
            show.estimate(
                *(GRID, f"density/{name} {i}"),
                **{"truth": "density/truth", "points": points, "y_lim": (-0.06, 1)},
                steps="steps-mid" if name == "histogram" else "default",
                title=f"{text}: {{density/{name} {i} apart:.2f}} away",
            )
            for i, text in enumerate(several)
        ]
        for name, several in texts.items()
    ]
    return show.page(*rows, size=(3.0, 1.8), x_label="x", y_label=[f"{name}\ndensity" for name in texts])


if __name__ == "__main__":
    run.main(__name__)
