"""As many clusters as there are: a mixture of Gaussians by variational Bayes, in the plane.

Attias 1999, UAI 15; Bishop 2006, Pattern Recognition and Machine Learning, section 10.2. It begins with more components
than there are clusters, and takes the weight of those that the points, 272 invented eruptions of a geyser, do not need.
Every step sees all of them, unless --batch_size says otherwise, in float32.

    python -m experiments.latent.mixture_vb
    >>> probability = run.load("runs/latent/mixture_vb").predict(places)
    python -m experiments.latent.mixture_vb --num_components 20 --concentration 1

Expected: of ten components it keeps two; 1.472 nats a test point, as scikit-learn. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from adl import data, run, show
from adl.latent import variational
from adl.latent.kmeans import settled
from adl.measure.clustering import soft_clustering

LIMIT = 3.0  # of the plane that is drawn
AXES = ("length of the eruption (sd)", "wait for the next (sd)")
STEPS = (0, 10, 25, 40, 60, 100)  # of the path that are drawn
SEEN = ("weights", "means", "covariances", "responsibility")


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about, of one seed."""

    any_length = True
    num_steps: run.Count = 200
    batch_size: run.Natural = 0  # points a step; 0: all
    log_every: run.Count = 1
    eval_every: run.Count = 5
    num_components: run.Natural = 0  # 0: five times as many as there are classes
    concentration: run.Positive = 0.1  # of the Dirichlet prior of the weights; the smaller, the fewer stay
    num_lloyd: run.Natural = 20  # steps of k-means, from a start by k-means++, before those of variational Bayes


SEEDS = {"num_seeds": 5}
CLAIMS = (
    run.Claim(
        metric="test/num_components",
        at_least=2,
        at_most=2,
        overrides=SEEDS,
        protocol="eruptions, made by two Gaussians: components of a weight above 1 %, of 10, after 200 steps; each of "
        "five seeds",
        reference="scikit-learn's BayesianGaussianMixture 2, of the same prior, from five starts of its own",
        reduce="worst",
    ),
    run.Claim(
        metric="test/loss",
        at_most=1.4722,
        overrides=SEEDS,
        protocol="the same; -log predictive density of 10,000 test points, nats a point, mean of 5 seeds",
        reference="scikit-learn's BayesianGaussianMixture 1.4721, read as Student's t; EM that is told two 1.4693",
    ),
)
SMOKE = {"num_steps": 4}
SWEEP = "concentration=0.1,1"  # of the tests


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """As many eruptions as were once watched, and 10,000 to test."""
    return data.toys.splits(data.toys.eruptions, 272, 10_000)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """Beliefs about a mixture, what they foretell of test points, and their path from a start as poor as can be."""
    train, test = loaded
    x = train.arrays["x"]
    num_components = cfg.num_components or 5 * test.num_classes
    fit = variational.by_bound(num_components, concentration=cfg.concentration)
    plane = {"x": x, "limit": LIMIT, "axes": AXES}
    of = {"num_clusters": num_components, "log_prob": fit.log_prob, "weights": variational.weights}
    return run.Experiment(
        fit.algorithm(start=settled(num_components, cfg.num_lloyd), axis=axis),
        data.portions(train.require("x"), cfg.batch_size),
        probes={"test": soft_clustering(fit.log_joint, test, **of)},
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
                y_label="ELBO / N (nats a point)",
                title="Bound on the evidence",
            ),
            density=show.of(show.mixture_density, *(f"density/{name}" for name in (*SEEN, "log_prob")), **plane),
            weights=show.of(show.component_weights, "path/weights", "density/weights"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
