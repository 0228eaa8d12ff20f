"""Estimates of the parameters of a distribution."""

import numpy as np

from adl.core import Algorithm
from adl.prob import estimation, exponential_family
from tests.case import POINTS, WEIGHTS, Case


def numbers(step: int) -> dict[str, np.ndarray]:
    """Numbers about 3, some of which weigh less, or nothing."""
    return {"x": 3 + 0.5 * POINTS[step % 4, :, 0], "mask": WEIGHTS[16:32] + 0.5}


def likeliest(axis: str | None) -> Algorithm:
    return estimation.maximum_likelihood(exponential_family.gamma(), axis=axis)


def posterior(axis: str | None) -> Algorithm:
    return estimation.conjugate(exponential_family.normal(), total=[0.0, 1.0], count=1.0, axis=axis)


def root(axis: str | None) -> Algorithm:
    return estimation.robbins_monro(lambda theta, x: theta - x, 0.0, axis=axis)


# Some families are of counts; what a field takes is its own.
CASES = {
    "maximum_likelihood": Case(likeliest, numbers, "loss", takes=("type",)),
    "conjugate": Case(posterior, numbers, "loss", takes=("type",)),
    "robbins_monro": Case(root, numbers, "loss", takes=("rank", "type")),
}
