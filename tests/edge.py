"""A public function at the edges of its range: what it is given there, and what is right.

A package's `tests/<package>/edges.py` holds `EDGES: dict[str, Edge]` by the name of what is called ("gaussian.product",
and further entries of it after a comma) and `NONE: dict[str, str]`: why some have no edge, and their names.
`test_edges.py` has every entry obey the law.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Edge(NamedTuple):
    """One public function, and one example of each of its edges, all of one shape.

    `call(*arrays)` gives an array, or a tree of them, in float32. What it must equal is the same in float64: by `want`,
    in NumPy, SciPy or mpmath, of the same numbers as float64; or without one by `call` itself in float64, where
    cancellation and overflow are 10^9 times further away. The gradient of a fixed combination of all outputs with
    respect to the arguments in `slopes` must equal float64's too: `call`'s own, or differences of `want`.
    """

    call: Callable[..., Any]
    inputs: Mapping[str, tuple]  # edge -> arguments, numbers or arrays
    want: Callable[..., Any] | None = None
    slopes: tuple[int, ...] = (0,)  # arguments with respect to which the gradient is right; () if it has none
    blank: tuple[str, ...] = ()  # edges at which there is no answer: every number there is nan
    rtol: float = 1e-4
    atol: float = 0.0
    slope_rtol: float = 1e-3  # of the largest entry of that argument's gradient
    infinite: tuple[str, ...] = ()  # edges at which infinity, of the right sign, is the answer
