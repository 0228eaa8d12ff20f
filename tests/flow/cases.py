"""Flows of points in the plane: by likelihood, by matching, and rectified."""

import chex
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.core import Algorithm
from adl.flow.coupling import affine_move, couplings, row_network
from adl.flow.glow import ActNorm, ChannelMixing
from adl.flow.likelihood import Flow, flow
from adl.flow.matching import flow_matching, optimal_noise, reflow
from tests.case import Case, points


class Velocity(nn.Module):
    """Affine in place and time."""

    @nn.compact
    def __call__(self, x, time):
        chex.assert_rank(x, 2)
        return nn.Dense(2)(jnp.concatenate([x, time[:, None]], -1))


def learn(axis: str | None) -> Algorithm:
    model = Flow((*couplings(2, row_network((8,)), move=affine_move()), ActNorm(), ChannelMixing()))
    # At first the normalised have no gradient but of rounding, of which Adam's first step must not make a whole one.
    return flow(model, optax.adam(0.01, eps=1e-3), prepare=lambda key, x: 3 * x**3 + 1, axis=axis)


def match(axis: str | None) -> Algorithm:
    return flow_matching(Velocity(), optax.adam(0.05), couple=optimal_noise, prepare=lambda key, x: x + 3, axis=axis)


def rectify(axis: str | None) -> Algorithm:
    of = {"periods": (2, 38), "num_steps": 2, "prepare": lambda key, x: x + 3}
    return reflow(Velocity(), optax.adam(0.05), **of, axis=axis)


CASES = {
    "flow": Case(learn, points, "loss"),
    "flow_matching": Case(match, points, "loss", is_deterministic=False),
    "reflow": Case(rectify, points, "loss", is_deterministic=False, steps=40),
}
