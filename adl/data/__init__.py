"""Data: a batch is a pure function of the step, and everything comes through TFDS, without TensorFlow."""

from adl.data import curves, image, tables, text, tokens, toys, views
from adl.data.batches import Batches, filled, once, padded, shuffled, streamed
from adl.data.source import load
from adl.data.split import Split, StoredSplit

__all__ = [
    "Batches",
    "Split",
    "StoredSplit",
    "curves",
    "filled",
    "image",
    "load",
    "once",
    "padded",
    "shuffled",
    "streamed",
    "tables",
    "text",
    "tokens",
    "toys",
    "views",
]
