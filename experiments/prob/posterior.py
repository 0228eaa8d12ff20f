"""Posteriors narrow around the true parameter while data arrive: of a probability, a rate and a mean.

Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.1. Conjugate posteriors after more and more
observations, from a prior that is worth two.

    python -m experiments.prob.posterior

Expected: after 128 observations they are as wide as the Fisher information says, within 6 %. Seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import run, show
from adl.core import Key, Mean
from adl.prob import exponential_family as ef
from adl.prob.continuous import Normal
from adl.prob.discrete import Bernoulli, Poisson

SEEN = (0, 2, 8, 32, 128)  # observations
FAMILIES = {"bernoulli": ef.bernoulli, "poisson": ef.poisson, "normal": ef.normal}
TRUTHS = {
    "bernoulli": Bernoulli(np.log(np.float32(0.3 / 0.7))),
    "poisson": Poisson(np.float32(4)),
    "normal": Normal(np.float32(1), np.float32(0.5)),
}
IMAGINED = {"bernoulli": (0.5,), "poisson": (1.0,), "normal": (0.0, 1.0)}  # T of a typical observation of the prior
# The parameter's name, its true value, the variance that one observation leaves it, where its posterior is drawn.
PARAMETERS = {
    "bernoulli": ("probability", 0.3, 0.3 * 0.7, np.linspace(0.002, 0.998, 400, dtype="f")),
    "poisson": ("rate", 4.0, 4.0, np.linspace(0.01, 8, 400, dtype="f")),
    "normal": ("mean, variance unknown", 1.0, 0.5**2, np.linspace(-1.5, 2.5, 400, dtype="f")),
}


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claims are about."""

    prior_count: run.Positive = 2.0  # imagined observations behind the prior


CLAIMS = tuple(
    run.Claim(
        metric=f"posterior/spread_of_{name}",
        at_least=0.9,
        at_most=1.1,
        protocol=f"posterior of a {parameter} after 128 observations of a {name}: its deviation, of 1 / sqrt(N I)",
        reference="1 for N towards infinity: Bernstein and von Mises; I is the Fisher information of one observation",
    )
    for name, (parameter, *_) in PARAMETERS.items()
)
SMOKE = {}
SWEEP = "prior_count=1,4"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Posteriors of three families."""

    def posteriors(key: Key, state: tuple) -> dict[str, Mean | Array]:
        """Densities after more and more observations, `[len(SEEN), G]`, and how wide the last is."""
        seen = {}
        for i, (name, (_, _, variance, grid)) in enumerate(PARAMETERS.items()):
            family, rows = FAMILIES[name](), []
            t = jax.vmap(family.statistics)(TRUTHS[name].sample(jax.random.key(10 + i), (max(SEEN),)))
            for n in SEEN:
                total = cfg.prior_count * jnp.asarray(IMAGINED[name]) + t[:n].sum(0)
                posterior = family.posterior(total, jnp.float32(cfg.prior_count + n))
                usual = posterior.location() if name == "normal" else posterior
                rows.append(jnp.exp(usual.log_prob(jnp.asarray(grid))))
            weight = rows[-1] / rows[-1].sum()
            deviation = jnp.sqrt((weight * jnp.square(grid - weight @ grid)).sum())
            spread = deviation / np.sqrt(variance / SEEN[-1])
            seen |= {name: jnp.stack(rows), f"spread_of_{name}": Mean.of(spread)}
        return seen

    panels = [
        show.lines(
            *(grid, show.Line(f"posterior/{family}", [f"{n} observations" for n in SEEN], color="viridis_r")),
            **{"x_label": name, "title": family, "verticals": {"": value}},
            **{"x_lim": (grid[0], grid[-1]), "y_lim": (0, None)},
        )
        for family, (name, value, _, grid) in PARAMETERS.items()
    ]
    page = show.page(panels, size=(2.9, 2.7), y_label="posterior density")
    return run.Experiment(final={"posterior": posteriors}, figures=show.figures(posteriors=page))


if __name__ == "__main__":
    run.main(__name__)
