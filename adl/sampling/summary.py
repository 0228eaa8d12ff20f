"""Draws in a table: of each number of a position its mean and spread, and how far they can be trusted.

A table prints itself: a row a number, in the order of the tree, and under it what is wrong, in words.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import tree
from adl.core.types import Array, PyTree
from adl.sampling.diagnostics import bulk_ess, split_rhat, standard_error, tail_ess

MOST_RHAT, LEAST_ESS = 1.01, 100  # and effective draws a chain; Vehtari et al. 2021, arXiv:1903.08008, sec. 4
ROWS = 40  # that are printed; of more, the worst by R-hat


class Summary(NamedTuple):
    """Of D numbers, C chains of N draws each; of what never moved, or is no number, the diagnostics are nan."""

    names: tuple[str, ...]  # "scale", "weights[0,2]"
    mean: np.ndarray  # [D]
    std: np.ndarray  # [D]
    error: np.ndarray  # [D] Monte-Carlo standard error of the mean
    low: np.ndarray  # [D] 5 % quantile
    high: np.ndarray  # [D] 95 % quantile
    rhat: np.ndarray  # [D] rank-normalised split R-hat
    bulk_ess: np.ndarray  # [D] effective draws in the bulk
    tail_ess: np.ndarray  # [D] and in the tails
    num_chains: int
    num_draws: int  # of each chain

    def __str__(self) -> str:
        columns = ("mean", "std", "error", "5%", "95%", "R-hat", "ESS bulk", "ESS tail")
        shown = np.arange(len(self.names))
        if len(shown) > ROWS:
            shown = np.sort(np.argsort(-np.where(np.isnan(self.rhat), np.inf, self.rhat), kind="stable")[:ROWS])
        width = max([4, *(len(self.names[i]) for i in shown)])
        lines = ["  ".join([" " * width, *(f"{name:>9}" for name in columns)])]
        for i in shown:
            cells = [f"{column[i]:9.4g}" for column in self[1:6]]
            cells += [f"{self.rhat[i]:9.3f}", f"{self.bulk_ess[i]:9.0f}", f"{self.tail_ess[i]:9.0f}"]
            lines.append("  ".join([f"{self.names[i]:<{width}}", *cells]))
        if len(shown) < len(self.names):
            lines.append(f"... of {len(self.names):,} numbers the {ROWS} with the largest R-hat")
        return "\n".join([*lines, f"{self.num_chains} chains of {self.num_draws:,} draws", *self.warnings()])

    def warnings(self) -> list[str]:
        """What is wrong, a line each; none where draws can be trusted."""
        least = LEAST_ESS * self.num_chains
        found = {
            "never moved, or are no number": np.isnan(self.rhat),
            f"have not mixed: R-hat above {MOST_RHAT}": self.rhat > MOST_RHAT,
            f"are worth too few draws: an effective size below {least}": np.fmin(self.bulk_ess, self.tail_ess) < least,
        }
        return [
            f"warning: {is_so.sum():,} of {len(is_so):,} numbers {what}, such as {self.names[int(np.argmax(is_so))]}"
            for what, is_so in found.items()
            if is_so.any()
        ]


def summarised(draws: PyTree) -> Summary:
    """What draws say of each number, and how far they can be trusted.

    Args:
      draws: leaves `[C, N, ...]`; integers and booleans count as numbers.
    """
    leaves = [(tree.name(path), jnp.asarray(leaf)) for path, leaf in jax.tree_util.tree_leaves_with_path(draws)]
    num_chains, num_draws = leaves[0][1].shape[:2]
    names = tuple(
        f"{name or 'x'}[{','.join(map(str, place))}]" if place else name or "x"
        for name, leaf in leaves
        for place in np.ndindex(*leaf.shape[2:])
    )
    flat = [leaf.reshape(num_chains, num_draws, -1) for _, leaf in leaves]
    values = jnp.concatenate([leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)) for leaf in flat], -1)
    found = [
        values.mean((0, 1)),
        values.std((0, 1), ddof=1),
        standard_error(values),
        *jnp.quantile(values, jnp.array([0.05, 0.95]), (0, 1)),
        split_rhat(values),
        bulk_ess(values),
        tail_ess(values),
    ]
    return Summary(names, *map(np.asarray, jax.device_get(found)), num_chains, num_draws)


class Sampled(NamedTuple):
    """What a run of chains gave; it prints as its table."""

    draws: PyTree  # leaves [C, N, ...]
    summary: Summary
    metrics: dict[str, Array]  # [N] means over the chains of the transitions to each draw: acceptance, ...
    state: PyTree  # of the chains, after the last draw

    def __str__(self) -> str:
        means = ", ".join(f"{name} {np.mean(values):.4g}" for name, values in self.metrics.items())
        lines = [str(self.summary), means]
        if (share := np.mean(self.metrics.get("divergent", 0))) > 0:
            lines.append(f"warning: {share:.2%} of the transitions diverged; raise target_acceptance, or reparametrise")
        return "\n".join(lines)
