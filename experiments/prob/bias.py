"""Maximum likelihood finds too little variance: that of five numbers is four fifths of the true one, on average.

Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 2.3. Normal distributions are fitted to many sets
of few numbers each.

    python -m experiments.prob.bias

Expected: the variance of five is 0.80 of the true one. Seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import run, show
from adl.core import Key, Mean
from adl.prob import estimation
from adl.prob import exponential_family as ef

SIZES = (2, 3, 5, 8, 12, 20)  # of the sets
NUMBERS = np.linspace(SIZES[0], SIZES[-1], 200)


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the study that the claim is about."""

    num_sets: run.Count = 20000  # that variances are averaged over
    scale: run.Positive = 1.0  # standard deviation of the numbers


CLAIMS = (
    run.Claim(
        metric="bias/variance_of_5",
        at_least=0.79,
        at_most=0.81,
        protocol="variance by maximum likelihood from 5 normal numbers over the true one, mean of 20,000 sets",
        reference="(N - 1) / N = 0.8 in closed form",
    ),
)
SMOKE = {"num_sets": 20}
SWEEP = "scale=0.5,2"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Variances of sets."""

    def bias(key: Key, state: tuple) -> dict[str, Mean | Array]:
        """Variances by maximum likelihood over the true one, and their standard errors."""
        family, means, errors, seen = ef.normal(), [], [], {}
        for n in SIZES:
            x = cfg.scale * jax.random.normal(jax.random.fold_in(key, n), (cfg.num_sets, n))
            found = jax.vmap(family.distribution)(estimation.of_sets(family, x))
            variance = jnp.square(found.scale / cfg.scale)
            means.append(variance.mean())
            errors.append(variance.std() / cfg.num_sets**0.5)
            if n == 5:
                seen["variance_of_5"] = Mean.of(variance)
        return {**seen, "mean": jnp.stack(means), "error": jnp.stack(errors)}

    found = show.lines(
        NUMBERS,
        show.Line((NUMBERS - 1) / NUMBERS, "(N − 1) / N", color=show.COLORS[1]),
        show.Line("bias/mean", "mean over sets, ± 2 se", "o", show.COLORS[0], x=SIZES, error="bias/error"),
        **{"x_label": "numbers in a set, N", "y_label": "variance found / true variance"},
        **{"title": "Maximum likelihood finds too little variance", "horizontals": {"": 1}, "x_ticks": SIZES},
        **{"y_lim": (0.4, 1.05), "legend": "lower right"},
    )
    return run.Experiment(final={"bias": bias}, figures=show.figures(bias=show.page([found], size=(4.4, 3.1))))


if __name__ == "__main__":
    run.main(__name__)
