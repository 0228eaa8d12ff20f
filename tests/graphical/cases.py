"""Graphs: sequences of symbols and of points, binary images, trees of factors."""

import jax
import jax.numpy as jnp
import numpy as np

from adl import graphical
from adl.core import Algorithm
from adl.graphical import kalman
from adl.graphical.factor_graph import grid
from adl.prob import exponential_family
from adl.prob.gaussian import LinearGaussian, MultivariateNormal
from tests.case import IMAGES, LENGTHS, POINTS, Case

ISING = graphical.ising.Ising(0.6, 0.7)


def speech(step: int) -> dict[str, np.ndarray]:
    """Sequences of symbols, some shorter than others, the same at every step."""
    return {
        "x": (IMAGES[0, :, 0] // 64).astype(np.int32)[..., 0],
        "mask": (np.arange(8)[None] < LENGTHS[:, None]) * 1.0,
    }


def tracks(step: int) -> dict[str, np.ndarray]:
    """Sequences of points, some of them not seen, the same at every step."""
    return {"x": POINTS.transpose(1, 0, 2), "mask": (np.arange(4)[None] != LENGTHS[:, None]) * 1.0}


def speckles(step: int) -> dict[str, np.ndarray]:
    """Binary images, the same at every step."""
    return {"image": np.where(IMAGES[0, ..., 0] > 127, 1, -1).astype("f")}


def problems(step: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Four pixels that are told what to be, and to be alike, the same at every step."""
    own, pair = POINTS.transpose(1, 0, 2), np.array([[0.5, -0.5], [-0.5, 0.5]], "f")
    return {"potentials": (own, np.broadcast_to(pair, (16, 4, 2, 2)))}


def symbols(axis: str | None) -> Algorithm:
    return graphical.baum_welch.baum_welch(2, exponential_family.categorical(4), axis=axis)


def drift(axis: str | None) -> Algorithm:
    """From noise that is far too large."""
    system = kalman.LDS(
        MultivariateNormal(jnp.zeros(2), 4 * jnp.eye(2)),
        LinearGaussian(0.9 * jnp.eye(2), jnp.zeros(2), 4 * jnp.eye(2)),
        LinearGaussian(jnp.eye(2), jnp.zeros(2), 4 * jnp.eye(2)),
    )
    return graphical.lds_em.lds_em(lambda key, batch: jax.tree.map(jnp.copy, system), axis=axis)


CASES = {
    # Symbols or numbers, as the family of the emissions has them.
    "baum_welch": Case(symbols, speech, "loss", takes=("type",)),
    "lds_em": Case(drift, tracks, "loss"),
    "icm": Case(lambda axis: graphical.ising.icm(ISING), speckles, "loss", reduces=False),
    "mean_field": Case(lambda axis: graphical.ising.mean_field(ISING), speckles, "loss", reduces=False),
    "gibbs, images": Case(
        lambda axis: graphical.ising.gibbs(ISING, num_warmup=2), speckles, "loss", is_deterministic=False, reduces=False
    ),
    "belief_propagation": Case(
        lambda axis: graphical.factor_graph.belief_propagation(grid(2, 2), damping=0.3), problems, "loss", reduces=False
    ),
}
