"""Two moons told apart by a Gaussian process: how sure it is, near the points and away from them, by its length.

Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, chapter 3. A process of each of three lengths stands
behind the labels of eighty points, by Laplace's approximation; the evidence chooses one, without other points.

    python -m experiments.linear.gp_moons

Expected: length 0.6 with 26.5 nats, as scikit-learn's, which also foretells 1,000 other points best. Seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import run, show
from adl.core import Mean, until_still
from adl.data.toys import two_moons
from adl.linear import covariance, glm, latent_process

LENGTHS = {"short": 0.15, "middling": 0.6, "long": 4.0}  # of the processes
SIDE = np.linspace(-2.2, 2.2, 80).astype("f")  # of the square that is drawn


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claims are about."""

    num_points: run.Points = 80  # of both moons
    noise: run.Positive = 0.25  # of the points about their moons
    variance: run.Positive = 9.0  # of the log-odds before any data


CLAIMS = (
    run.Claim(
        metric="moons/loss",
        at_most=26.6,
        protocol="two moons, 80 points; −log evidence in nats by Laplace's approximation, of the best of three lengths",
        reference="scikit-learn's GaussianProcessClassifier with the same kernels: 26.5",
    ),
    run.Claim(
        metric="moons/excess",
        at_most=1.01,
        protocol="two moons, 80 points to learn, 1,000 others to test; −log p(label) of the length of most evidence, "
        "over the least of three",
        reference="1: it is the best; of length 0.15 2.01, of 4 1.75",
    ),
)
SMOKE = {"num_points": 24}
SWEEP = "variance=4,9"  # of the tests


def load(cfg: Config) -> dict[str, Array]:
    """Points to learn, and 1,000 others, about the mean of the former."""
    (x, label), (new, wanted) = (
        two_moons(jax.random.key(seed), n, noise=cfg.noise) for seed, n in ((1, cfg.num_points), (2, 1000))
    )
    middle = x.mean(0, keepdims=True)
    return {"x": x - middle, "label": label, "new": new - middle, "wanted": wanted}


def build(cfg: Config, loaded: dict[str, Array], axis: str | None) -> run.Experiment:
    """A process for each length."""
    grid = np.stack(np.meshgrid(SIDE, SIDE), -1).reshape(-1, 2)

    def moons(points, key, state):
        x, label = points["x"], points["label"]
        evidence, losses, seen = [], [], {}
        for name, length in LENGTHS.items():
            kernel = covariance.scaled(covariance.squared_exponential(length), cfg.variance)
            weights, _ = until_still(latent_process.newton(glm.bernoulli, kernel))(key, {"x": x, "y": label})
            found = latent_process.approximate(glm.bernoulli, kernel, x, label, weights)

            def probability(places, kernel=kernel, found=found):
                return latent_process.expected(glm.bernoulli, latent_process.predict(kernel, found, places))

            p = probability(points["new"])
            losses.append(-jnp.log(jnp.where(points["wanted"] == 1, p, 1 - p)).mean())
            evidence.append(found.log_evidence)
            seen |= {name: probability(grid).reshape(len(SIDE), -1), f"{name} log_evidence": found.log_evidence}
        losses, evidence = jnp.stack(losses), jnp.stack(evidence)
        excess = losses[evidence.argmax()] / losses.min()
        return {**seen, "losses": losses, "loss": Mean.of(-evidence.max()), "excess": Mean.of(excess)}

    return run.Experiment(final={"moons": Partial(moons, loaded)}, figures=show.figures(moons=moons_page(loaded)))


def moons_page(points: dict[str, Array]) -> show.Draw:
    """How sure a process is of two classes, near the points and away from them."""
    panels = [
        show.probability(
            *((SIDE, SIDE), f"moons/{name}", points["x"], points["label"]),
            title=f"length {length}: {{moons/{name} log_evidence:.1f}} nats",
            bar_label="p(class 1 | x)" if name == "long" else "",
        )
        for name, length in LENGTHS.items()
    ]
    return show.page(panels, size=(2.8, 2.8), x_label="x₁", y_label="x₂")


if __name__ == "__main__":
    run.main(__name__)
