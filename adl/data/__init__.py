"""Data: a batch is a pure function of the step, and everything comes through TFDS, without TensorFlow."""

from adl.data import image, text, tokens, toys, views
from adl.data.batches import alternating, filled, ordered, padded, shuffled, streamed
from adl.data.outside import Outside
from adl.data.source import load
from adl.data.split import Split, StoredSplit

__all__ = [
    "Outside",
    "Split",
    "StoredSplit",
    "alternating",
    "filled",
    "image",
    "load",
    "ordered",
    "padded",
    "shuffled",
    "streamed",
    "text",
    "tokens",
    "toys",
    "views",
]
