"""Pixels as the models want them; inside the step, so that host and transfer see bytes; or once, as numbers."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.errors import BadInput
from adl.core.types import Array, Key
from adl.data.split import Split, StoredSplit

ASKED = 10_000  # pictures of a split on disk by which its grey levels are known

PROTOCOLS = {  # of the splits "train" and "test" of sets of pictures, for claims
    "digits": "digits: 1,437 to train, all of the 360 by other writers to test",
    "mnist": "MNIST: 60,000 to train, all 10,000 to test",
}


def unit(pixels: Array) -> Array:
    """`[...]` float32 in [0, 1] of `[...]` uint8 in 0..255."""
    _assert_bytes(pixels)
    return pixels.astype(jnp.float32) / 255


def symmetric(pixels: Array) -> Array:
    """`[...]` float32 in [-1, 1] of `[...]` uint8 in 0..255."""
    _assert_bytes(pixels)
    return pixels.astype(jnp.float32) / 127.5 - 1


def _assert_bytes(pixels: Array) -> None:
    if pixels.dtype != jnp.uint8:
        raise BadInput(f"pixels are uint8 in 0..255, not {pixels.dtype} {list(pixels.shape)}: these are scaled already")


def from_symmetric(x: Array) -> Array:
    """`[...]` in [0, 1] of `[...]` in [-1, 1]; what a model has beyond these is clipped."""
    return jnp.clip((x + 1) / 2, 0, 1)


def binary(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """`[...]` float32 of `[...]` uint8 in 0..255: 1 from `threshold` in [0, 1] of the way to 255 on, 0 below."""
    return (pixels / 255 >= threshold).astype(np.float32)


def num_levels(*splits: Split, asked: int = 0) -> int:
    """Number L of equally spaced grey levels that pictures have, round(255 l / (L - 1)): 17 of digits, 256 of most.

    Args:
      *splits: with "image"; of those on disk the first `ASKED` pictures are read.
      asked: L that is wanted, of --levels; 0: the least that have a place for each pixel.
    Raises:
      BadInput: if pixels lie between the levels that are asked for: they would be rounded, and a bound on their
        probability be one on other data's.
    """
    is_seen = np.zeros(256, bool)
    for split in splits:
        pixels = (split.first(ASKED) if isinstance(split, StoredSplit) else split).arrays["image"]
        _assert_bytes(pixels)
        is_seen[pixels] = True
    seen = np.flatnonzero(is_seen)
    least = next(n for n in range(2, 257) if _holds(n, seen))
    if not asked:
        return least
    if not (2 <= asked <= 256 and _holds(asked, seen)):
        raise BadInput(
            f"--levels {asked}: these pictures have {least} grey levels, with which bounds can be compared with others'"
        )
    return asked


def _holds(num: int, seen: np.ndarray) -> bool:
    return bool(np.isin(seen, np.round(np.arange(num) * 255 / (num - 1))).all())


def level_of(pixels: Array, *, levels: int) -> Array:
    """`[...]` int32 in 0 ... levels - 1: which of so many equally spaced grey levels each of `[...]` uint8 is."""
    return jnp.round(unit(pixels) * (levels - 1)).astype(jnp.int32)


def dequantised(key: Key, pixels: Array, *, levels: int) -> Array:
    """Grey levels spread evenly over their width: float32 in [0, 1), of a continuous density.

    (level + u) / levels,   u ~ U[0, 1)

    Args:
      key: consumed.
      pixels: `[...]` uint8 in 0..255, of so many equally spaced levels.
      levels: >= 1, such as 256, or 17 of digits.
    Source: Uria, Murray & Larochelle 2013, arXiv:1306.0186, section 5.1; Theis et al. 2016, arXiv:1511.01844, eq. 4.
    """
    return (level_of(pixels, levels=levels) + jax.random.uniform(key, pixels.shape)) / levels


def require_different(split: Split) -> Split:
    """The split, of whose pictures there is something to learn.

    Raises:
      BadInput: if all pictures are the same, or there is but one.
    """
    few = split.first(1000).arrays["image"]
    if len(split) < 2 or (len(split) <= len(few) and (few == few[:1]).all()):
        what = (
            "there is one training picture" if len(split) < 2 else f"all {len(split):,} training pictures are the same"
        )
        raise BadInput(f"{what}: a model needs at least two that differ")
    return split


def flat(split: Split, image: np.ndarray) -> Split:
    """Pictures as points: "x" `[N, D]` of `image` `[N, ...]`, made of the split's, and "label" where it has that."""
    label = {"label": split.arrays["label"]} if "label" in split.names else {}
    return Split({"x": np.asarray(image).reshape(len(split), -1), **label}, split.info)
