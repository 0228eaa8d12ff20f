"""Clusters with shapes: a mixture of Gaussians by expectation maximisation, in the plane.

Dempster, Laird & Rubin 1977, JRSS B 39(1); Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section
15.3. The points are 272 invented eruptions of a geyser. Every step sees all of them, unless --batch_size says
otherwise, in float32.

    python -m experiments.latent
    >>> probability = run.load("runs/latent/mixture").predict(places)
    python -m experiments.latent.mixture --num_components 3 --covariance tied

Expected: 1.469 nats a test point, as scikit-learn from the same start. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from adl import data, run, show
from adl.latent import mixture
from adl.latent.kmeans import settled
from adl.measure.clustering import soft_clustering

LIMIT = 3.0  # of the plane that is drawn
AXES = ("length of the eruption (sd)", "wait for the next (sd)")
STEPS = (0, 4, 8, 12, 16, 32)  # of the path that are drawn
SEEN = ("weights", "means", "covariances", "responsibility")


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claim is about."""

    any_length = True
    num_steps: run.Count = 100
    batch_size: run.Natural = 0  # points a step; 0: all
    log_every: run.Count = 1
    eval_every: run.Count = 5
    num_components: run.Natural = 0  # 0: as many as there are classes
    covariance: mixture.Covariance = "full"  # of a component; tied: one for all
    reg_covar: run.NonNegative = 1e-6  # added to each variance, in squared units of the data
    num_lloyd: run.Natural = 20  # steps of k-means, from a start by k-means++, before those of EM


CLAIMS = (
    run.Claim(
        metric="test/loss",
        at_most=1.4694,
        protocol="eruptions: 2 components, 272 points to fit, 10,000 to test; nats a point after 100 steps",
        reference="scikit-learn's GaussianMixture 1.4693, from the same start as from its own",
    ),
)
SMOKE = {"num_steps": 4}
SWEEP = "reg_covar=1e-6,1e-2"  # of the tests


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """As many eruptions as were once watched, and 10,000 to test."""
    return data.toys.splits(data.toys.eruptions, 272, 10_000)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A mixture, its likelihood of test points, and its path from a start as poor as can be: across the clusters."""
    train, test = loaded
    x = train.arrays["x"]
    num_components = cfg.num_components or test.num_classes
    fit = mixture.by_likelihood(num_components, covariance=cfg.covariance, reg_covar=cfg.reg_covar)
    plane = {"x": x, "limit": LIMIT, "axes": AXES}
    return run.Experiment(
        fit.algorithm(start=settled(num_components, cfg.num_lloyd), axis=axis),
        data.portions(train.require("x"), cfg.batch_size),
        probes={
            "test": soft_clustering(
                fit.log_joint, test, num_clusters=num_components, weights=lambda state: state.weights
            )
        },
        final=fit.drawn(
            x,
            centres=data.toys.ring(num_components, start=0.75 * jnp.pi),
            num_steps=STEPS[-1],
            points=data.toys.mesh(LIMIT, 121),
        ),
        offers={"predict": run.Offer(lambda key, *of: fit.log_joint(*of), run.Cells(AXES), run.Choice())},
        figures=show.figures(
            steps=show.of(show.mixture_steps, *(f"path/{name}" for name in SEEN), steps=STEPS, **plane),
            path=show.of(
                show.ascent,
                "path/objective",
                "density/objective",
                steps=STEPS,
                y_label="log p(x) (nats a point)",
                title="Log-likelihood of the training points",
            ),
            density=show.of(show.mixture_density, *(f"density/{name}" for name in (*SEEN, "log_prob")), **plane),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
