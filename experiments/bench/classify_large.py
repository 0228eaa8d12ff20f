"""Training of the small ResNet on 64 pictures of 32x32, as `classify`."""

from experiments.bench import Contenders
from experiments.bench.classify import compared, small


def contenders() -> Contenders:
    """64 colour pictures of 32x32."""
    return compared(small((64, 32, 32, 3), num_steps=4))
