"""How good gradients of discrete codes are: bias and noise of each estimator, against the exact gradient.

A test digit is coded by three latents of eight values: each says in which eighth of the training digits its coordinate
along a principal component lies. log p(x|z) is a Gaussian's about the picture that the three say; the expectation of
it under q(z), of random log-odds, is a sum over 512 codes, and so is its gradient. Beside them a Gaussian q of the
same three coordinates, whose expectation has a closed form. Williams 1992, Machine Learning 8; Kool et al. 2019; Bengio
et al. 2013, arXiv:1308.3432; Jang et al. 2017, arXiv:1611.01144; Kingma & Welling 2014, arXiv:1312.6114.

    python -m experiments.autoencoder.estimators

Measured: over the squared norm of the gradient, a squared bias of 0.16 straight through, 0.47, 0.05 and 0.001 of
Gumbel-softmax at 2, 0.5 and 0.1, whose variances are 0.06, 2.1 and 19; none of the scores, whose variances are 102, 13
with the mean as baseline, 4.3 of four draws. Of a Gaussian 66 by score, 0.36 reparameterised. Seconds.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.autoencoder import estimators as est
from adl.autoencoder.latents import DiagonalNormal
from adl.core import BadInput, Key, Mean
from adl.latent import principal
from adl.nn.mlp import flat

NUM, SIZE = 3, 8  # latents, and their values


@dataclass(frozen=True)
class Config(run.Pictured, run.Parts, run.Study):
    """The default is the study that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_draws: run.Several = 2000  # gradients by each estimator, of each picture
    num_pictures: run.Count = 20  # test pictures, first ones
    std: run.Positive = 1.0  # of p(x|z), of pixels in [0, 1]: how much a wrong code costs
    spread: run.NonNegative = 1.0  # standard deviation of the log-odds of q; 0: each value is as likely
    temperatures: run.Positives = (2.0, 0.5, 0.1)  # of the relaxed draws


OF = "20 test digits, random log-odds, 2,000 gradients each; over the squared norm of the exact gradient"
CLAIMS = (
    run.Claim("gradient/score_4_draws_bias", f"squared bias: {OF}", at_most=0.01, reference="without bias: 0"),
    run.Claim("gradient/straight_through_bias", f"squared bias: {OF}", at_least=0.1, reference="without bias: 0"),
)
SMOKE = {"num_draws": 8, "num_pictures": 2}
SWEEP = "std=0.5,1"  # of the tests


class Loaded(NamedTuple):
    """A decoder of codes, and what it is asked of."""

    pictures: Array  # [N, D] test pictures, less the mean
    shares: Array  # [3, 8, D] what each value of each latent adds to the mean


def load(cfg: Config) -> Loaded:
    """The mean coordinate of each eighth of the training pictures along each component."""
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    data.image.require_different(train)
    if len(train) < SIZE:
        raise BadInput(f"{len(train)} training pictures: at least {SIZE}, one for each value of a latent")
    known, asked = (flat(jnp.asarray(data.image.unit(split.arrays["image"]))) for split in (train, test))
    found = principal.found(known, NUM)
    coordinates = np.sort(np.asarray(principal.encode(found, known)), 0)
    places = np.stack([part.mean(0) for part in np.array_split(coordinates, SIZE)], 1)  # [3, 8]
    return Loaded(asked[: cfg.num_pictures] - found.mean[None], jnp.asarray(places)[..., None] * found.basis.T[:, None])


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """Each estimator's gradients of each picture, judged."""
    names = [*est.of_rows(cfg.temperatures), *est.of_gaussians()]

    def probe(loaded, key: Key, state: tuple) -> dict[str, Mean | Array]:
        def of_picture(of):
            return judged(cfg, loaded.shares, *of)

        found = jax.lax.map(of_picture, (jax.random.split(key, len(loaded.pictures)), loaded.pictures))
        told = {}
        for name, one in found.items():
            exact = one.exact.mean()
            told |= {f"{name}_bias": Mean.of(one.bias / exact), f"{name}_variance": Mean.of(one.variance / exact)}
        for what in ("bias", "variance"):
            told[what] = jnp.stack([told[f"{name}_{what}"].value for name in names])
        return told

    panel = {"x_label": "squared, over that of the exact gradient", "x_scale": "symlog"}
    return run.Experiment(
        final={"gradient": Partial(probe, loaded)},
        figures=show.figures(
            gradient=show.page(
                [
                    show.dots(
                        [name.replace("_", " ") for name in names],
                        {"variance of one draw": "gradient/variance", "bias": "gradient/bias"},
                        **panel,
                        title="Gradients of a code",
                    )
                ],
                size=(6.4, 3.6),
            )
        ),
    )


def judged(cfg: Config, shares: Array, key: Key, x: Array) -> dict[str, est.Judged]:
    """Every estimator on one picture."""
    logits_key, mean_key, key = jax.random.split(key, 3)

    def given(z):
        return -jnp.square(x - (z[..., None] * shares).sum((0, 1))).sum() / (2 * cfg.std**2)

    logits = cfg.spread * jax.random.normal(logits_key, (NUM, SIZE))
    exact = jax.grad(functools.partial(est.enumerated, given))(logits)
    found = {
        name: est.judged_gradient(key, estimator, given, logits, exact, num=cfg.num_draws)
        for name, estimator in est.of_rows(cfg.temperatures, est.enumerated(given, logits)).items()
    }
    unit = shares[:, -1]  # one latent is how far along what the largest value says
    q = DiagonalNormal(0.5 * jax.random.normal(mean_key, (NUM,)), jnp.full(NUM, -1.0))

    def along(z):
        return -jnp.square(x - z @ unit).sum() / (2 * cfg.std**2)

    def expected(q):
        return along(q.mean) - (jnp.exp(2 * q.log_std) * jnp.square(unit).sum(1)).sum() / (2 * cfg.std**2)

    for name, estimator in est.of_gaussians(expected(q)).items():
        found[name] = est.judged_gradient(key, estimator, along, q, jax.grad(expected)(q), num=cfg.num_draws)
    return found


if __name__ == "__main__":
    run.main(__name__)
