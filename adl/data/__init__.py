"""Data: a batch is a pure function of the step, and everything comes through TFDS, without TensorFlow."""

from adl.data import image, text, tokens, toys, views
from adl.data.batches import Batches, filled, padded, shuffled, streamed
from adl.data.source import load, splits
from adl.data.split import Split, StoredSplit

__all__ = [
    "Batches",
    "Split",
    "StoredSplit",
    "filled",
    "image",
    "load",
    "padded",
    "shuffled",
    "splits",
    "streamed",
    "text",
    "tokens",
    "toys",
    "views",
]
