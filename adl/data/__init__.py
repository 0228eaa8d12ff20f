"""Data: a batch is a pure function of the step, and everything comes through TFDS, without TensorFlow."""

from adl.data import image, toys, views
from adl.data.batches import Batches, padded, shuffled
from adl.data.source import Split, load

__all__ = ["Batches", "Split", "image", "load", "padded", "shuffled", "toys", "views"]
