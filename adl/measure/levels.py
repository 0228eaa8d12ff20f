"""Bits a dimension of what knows nothing, each pixel alone, or pairs of pixels alone: in closed form.

All are of the K levels themselves, so that they stand beside a model's bits of the same levels and no others.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from jax.tree_util import Partial

from adl.core.types import Mean, Probe

CHUNK = 10_000  # pictures at a time
WIDEST = 4096  # dimensions whose covariance is taken


def baseline_bits(train: np.ndarray, test: np.ndarray, *, num_levels: int) -> dict[str, float]:
    """Bits a dimension of test pictures: `uniform`, `independent`, and of up to `WIDEST` dimensions `gaussian`.

    Args:
      train: `[N, ...]` integer levels in 0 ... K - 1.
      test: `[M, ...]`, of the same shape.
      num_levels: K.
    """
    train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    found = {
        "uniform": float(np.log2(num_levels)),
        "independent": independent_bits(train, test, num_levels=num_levels),
    }
    return {**found, "gaussian": one_gaussian_bits(train, test)} if train.shape[1] <= WIDEST else found


def independent_bits(train: np.ndarray, test: np.ndarray, *, num_levels: int) -> float:
    """Bits a dimension where each pixel has probabilities of its own, whatever the others are.

    p_d(l) = (n_d(l) + 1) / (N + K),   n_d(l) training pictures of level l at d

    Args:
      train: `[N, D]` integer levels in 0 ... K - 1.
      test: `[M, D]`.
      num_levels: K.
    """
    place = np.arange(train.shape[1]) * num_levels
    counts = sum(
        np.bincount((place + part).ravel(), minlength=num_levels * train.shape[1]).astype(float)
        for part in _parts(train)
    )
    bits = -np.log2((counts + 1) / (len(train) + num_levels))
    return float(np.mean([bits[place + row].mean() for row in test]))


def one_gaussian_bits(train: np.ndarray, test: np.ndarray) -> float:
    """Bits a dimension, at most, of one Gaussian of full covariance, as a density of levels spread over their width.

    E_u -log2 N(l + u; m + 1/2, S + I / 12) / D,   u ~ U[0, 1)^D,

    a bound on the bits of the levels by Jensen's inequality, and no draw: the expectation is in closed form.

    Args:
      train: `[N, D]` integer levels, of mean m and covariance S without bias.
      test: `[M, D]`.
    Source: Theis et al. 2016, arXiv:1511.01844, eq. 4.
    """
    num, dim = train.shape
    mean = sum(part.sum(0, dtype=float) for part in _parts(train)) / num
    covariance = sum((part - mean).T @ (part - mean) for part in _parts(train)) / max(1, num - 1) + np.eye(dim) / 12
    precision, log_det = np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1]
    away = np.concatenate([(((part - mean) @ precision) * (part - mean)).sum(1) for part in _parts(test)])
    nats = 0.5 * (away.mean() + np.trace(precision) / 12 + log_det + dim * np.log(2 * np.pi))
    return float(nats / (dim * np.log(2)))


def known(bits: Mapping[str, float]) -> Probe:
    """Probe of numbers that were known before, as those of `baseline_bits`: in the rows of the run beside them."""
    return Partial(
        lambda bits, key, state: {name: Mean.of(value) for name, value in bits.items()},
        {name: np.float32(value) for name, value in bits.items()},
    )


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    yield from (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
