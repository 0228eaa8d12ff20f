"""What a unit of a stack of convolutions sees of the picture."""

from collections.abc import Sequence
from typing import NamedTuple


class Layer(NamedTuple):
    """A convolution or pooling, along one axis."""

    window: int  # taps
    stride: int = 1
    dilation: int = 1  # inputs from one tap to the next
    padding: int = 0  # zeros before the first input


class Field(NamedTuple):
    """The pixels that units of a layer see, along one axis: unit t from first + jump t on, so many as the size."""

    size: int  # pixels
    jump: int  # pixels from what a unit sees to what the next one does
    first: int  # pixel at which unit 0 begins; below 0 in the padding


def receptive_field(layers: Sequence[Layer]) -> Field:
    """What the units after all layers see.

    size = 1 + sum over l of (window_l - 1) dilation_l jump_l,   jump_l = product of the strides before l

    Args:
      layers: from the picture on; a residual block counts as its deepest branch.
    Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", Distill, eq. 2.
    """
    size, jump, first = 1, 1, 0
    for layer in layers:
        size += (layer.window - 1) * layer.dilation * jump
        first -= layer.padding * jump
        jump *= layer.stride
    return Field(size, jump, first)
