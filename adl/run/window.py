"""Training metrics since the last row: on the device until they are wanted, and in a checkpoint where a run stops."""

from collections.abc import Iterator, Mapping

import jax
import numpy as np

from adl.core import Mean, Metrics, place, tree

Plain = Mapping[str, list[list]]  # name -> [[type, values] of the total, [type, values] of the count], `[W, runs...]`


class Tally:
    """The metrics of the last calls, one after another.

    What was in it when a run stopped goes on in the run that resumes, so that both write the rows of a straight one.
    """

    def __init__(self, plain: Plain):
        self._calls: list[tuple[int, int, Metrics]] = []  # (first step, steps, metrics)
        self._earlier = {name: Mean(*(np.array(part, kind) for kind, part in pair)) for name, pair in plain.items()}

    def add(self, first: int, steps: int, metrics: Metrics) -> None:
        """The metrics of a call, once those of the one before are there.

        The device has its next step before the host waits for the last.
        """
        if self._calls:
            jax.block_until_ready(self._calls[-1][2])
        self._calls.append((first, steps, metrics))

    def fetched(self) -> tuple[dict[str, Mean], list[tuple[int, int, dict[str, Mean]]]]:
        """Means `[W, runs...]` of all calls; and of each of this process its first step, its steps, its means."""
        if not self._calls:
            return self._earlier, []
        found = dict(jax.device_get(place.stack([metrics for _, _, metrics in self._calls])))
        calls = [
            (first, steps, {name: tree.take(mean, index) for name, mean in found.items()})
            for index, (first, steps, _) in enumerate(self._calls)
        ]
        if not self._earlier:
            return found, calls
        return jax.tree.map(lambda *parts: np.concatenate(parts), self._earlier, found), calls

    def clear(self) -> None:
        """Begins anew, after a row."""
        self._calls, self._earlier = [], {}


def plain(means: Mapping[str, Mean]) -> Plain:
    """Fetched means as JSON has them, bit for bit."""
    return {name: [*_parts(mean)] for name, mean in means.items()}


def _parts(mean: Mean) -> Iterator[list]:
    for part in map(np.asarray, mean):
        yield [part.dtype.name, part.tolist()]
