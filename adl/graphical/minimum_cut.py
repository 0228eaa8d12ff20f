"""The image of least energy, exactly: where neighbours are to be alike, it is a cut, and the least is a maximal flow.

Source: Greig, Porteous & Seheult 1989, JRSS B 51(2).
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from adl.graphical.factor_graph import grid

UNITS = 2**28  # capacities of the flow are integers: the larger of both is so many units


def minimum_cut(image: np.ndarray, *, beta: float, eta: float) -> np.ndarray:
    """Images `[N, H, W]` in {-1, 1} of least `ising.energy`, up to ties and 4e-9 of the larger weight an edge.

    Args:
      image: `[N, H, W]` in {-1, 1}, what was seen.
      beta: >= 0, of neighbours, in nats.
      eta: >= 0, of a pixel and what is seen of it, in nats.
    Raises:
      ValueError: if a weight is negative or not finite: of neighbours that repel each other no cut is the least.
    """
    if not (0 <= beta < np.inf and 0 <= eta < np.inf):
        raise ValueError(f"beta {beta} and eta {eta} must be finite and at least 0")
    unit = max(beta, eta) / UNITS or 1.0
    _, pairs = grid(*image.shape[1:]).scopes
    num_pixels = image[0].size
    source, sink = num_pixels, num_pixels + 1
    pixel = np.arange(num_pixels)
    found = []
    for seen in image.reshape(len(image), -1):
        rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.where(seen > 0, source, pixel)])
        cols = np.concatenate([pairs[:, 1], pairs[:, 0], np.where(seen > 0, pixel, sink)])
        weights = np.full(len(rows), round(eta / unit), np.int32)
        weights[: 2 * len(pairs)] = round(beta / unit)
        capacity = coo_array((weights, (rows, cols)), shape=(num_pixels + 2, num_pixels + 2)).tocsr()
        rest = capacity - maximum_flow(capacity, source, sink).flow
        rest.eliminate_zeros()
        reached = np.full(num_pixels + 2, -1, np.float32)
        reached[breadth_first_order(rest, source, return_predecessors=False)] = 1
        found.append(reached[:num_pixels])
    return np.stack(found).reshape(image.shape)
