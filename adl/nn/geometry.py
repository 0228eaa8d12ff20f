"""What is static of a convolution: sizes, strides, padding, dilation, groups, and what follows from them."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from jax import Array, lax

MANY = 64  # taps of a kernel, up to which it may be taken tap by tap: each is a product of its own in the program
Padding = Literal["SAME", "VALID"] | Sequence[tuple[int, int]]  # zeros (before, after) of each axis


class Geometry(NamedTuple):
    """What is static of a convolution. With two of its arrays it gives the shape of the third; all may have axes more,
    in front.
    """

    size: tuple[int, ...]  # of x, along each axis
    window: tuple[int, ...]  # of the kernel
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @classmethod
    def of(
        cls,
        size: Sequence[int],
        window: Sequence[int],
        strides: int | Sequence[int],
        padding: Padding,
        dilation: int | Sequence[int],
        groups: int,
    ) -> "Geometry":
        """That of `convolve` with such words."""
        strides, dilation = each(strides, len(window)), each(dilation, len(window))
        if isinstance(padding, str):
            reach = [(taps - 1) * apart + 1 for taps, apart in zip(window, dilation, strict=True)]
            padding = lax.padtype_to_pads(size, reach, strides, padding)
        padding = tuple((int(before), int(after)) for before, after in padding)
        return cls(tuple(size), tuple(window), strides, padding, dilation, groups)

    @property
    def places(self) -> tuple[int, ...]:
        """Of y, along each axis."""
        sides = zip(self.size, self.window, self.strides, self.padding, self.dilation, strict=True)
        return tuple((size + sum(pad) - (taps - 1) * apart - 1) // step + 1 for size, taps, step, pad, apart in sides)

    @property
    def is_small(self) -> bool:
        """Whether x or y are shorter than the reach of the kernel's taps, of which there are not many."""
        sides = zip(self.size, self.places, self.window, self.dilation, strict=True)
        is_short = any(min(size, places) <= (taps - 1) * apart for size, places, taps, apart in sides)
        return self.groups == 1 and is_short and math.prod(self.window) <= MANY

    def sees(self, tap: Sequence[int]) -> bool:
        """Whether a tap meets x somewhere, and not zeros alone."""
        sides = zip(tap, self.size, self.places, self.strides, self.padding, self.dilation, strict=True)
        return all(
            any(0 <= place * step + at * apart - before < size for place in range(places))
            for at, size, places, step, (before, _), apart in sides
        )

    def output(self, x: Array, kernel: Array) -> tuple[int, ...]:
        """`[B, ..., D]`, of y."""
        return (*x.shape[: -len(self.size) - 1], *self.places, kernel.shape[-1])

    def input(self, y: Array, kernel: Array) -> tuple[int, ...]:
        """`[B, ..., C]`, of x."""
        return (*y.shape[: -len(self.size) - 1], *self.size, self.groups * kernel.shape[-2])

    def kernel(self, x: Array, y: Array) -> tuple[int, ...]:
        """`[..., C / groups, D]`, of the kernel."""
        return (*x.shape[: -len(self.size) - 2], *self.window, x.shape[-1] // self.groups, y.shape[-1])


def each(value: int | Sequence[int], num_axes: int) -> tuple[int, ...]:
    """One number for each axis, of one for all of them or of each its own."""
    return (value,) * num_axes if isinstance(value, int) else tuple(value)
