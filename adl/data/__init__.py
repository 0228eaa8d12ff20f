"""Data: a batch is a pure function of the step, read without TensorFlow.

Data sets are TFDS's by their names, or one's own by their paths (`folder`, `files`) or as arrays (`arrays`).
Columns have one glossary, which `Split.require` checks; N examples, B of a batch:

    x      [N, ...]       numbers: what is given (also found as "features")
    y      [N, ...]       numbers: what is to be told of it (also found as "target")
    label  [N, ...]       integers 0 ... K - 1: classes
    token  [N, T]         integers 0 ... V - 1: texts, ragged ones too (`ragged`)
    image  [N, H, W, C]   uint8 in 0 ... 255
    clip   [N, T, H, W, C]  the same, frame after frame
    joints [N, J, 2]      numbers: (x, y) in pixels
    visible [N, J]        whether a joint is seen
    mask   [N], [N, T]    numbers: 1 counts, 0 is padding
    segment [N, H, W]     integers 0 ... K - 1: a class at each pixel, 255 counts nowhere (also found as "mask")
    depth  [N, H, W]      numbers: metres from the camera, what is not > 0 is unknown
"""

from adl.data import curves, image, ragged, tables, text, tokens, toys, views
from adl.data.batches import filled, once, ordered, padded, portions, shuffled, streamed, whole
from adl.data.outside import Outside
from adl.data.own import arrays, folder
from adl.data.phases import alternating
from adl.data.source import load, splits
from adl.data.split import Split, StoredSplit

__all__ = [
    "Outside",
    "Split",
    "StoredSplit",
    "alternating",
    "arrays",
    "curves",
    "filled",
    "folder",
    "image",
    "load",
    "once",
    "ordered",
    "padded",
    "portions",
    "ragged",
    "shuffled",
    "splits",
    "streamed",
    "tables",
    "text",
    "tokens",
    "toys",
    "views",
    "whole",
]
