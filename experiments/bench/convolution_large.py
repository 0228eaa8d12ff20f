"""Gradients of convolutions of larger pictures: plain, in a loop, for several kernels at once."""

from experiments.bench import Contenders, convolution


def contenders() -> Contenders:
    """As `convolution.contenders`, 64x16x16x64; XLA's own takes minutes, most of them in the loop."""
    return convolution.contenders(batch_size=64, side=16, channels=64, num_calls=3)
