"""How pictures become what a published network sees: preprocessor_config.json of Hugging Face's libraries, done here.

Resized by Pillow and cropped, which leaves bytes; then scaled to numbers and standardised, which may be in a step. The
result is that of `transformers`' own processors of its "pil" kind, ViT's, ConvNext's, BiT's and CLIP's.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean, local_path
from adl.core.types import Array
from adl.data.picture import decoded

LARGEST = 2**15  # side of a picture, in pixels
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
CROPPED = {"size": {"shortest_edge": 224}, "resample": 3, "do_center_crop": True, "crop_size": 224, **CLIP}
KINDS: dict[str, dict[str, Any]] = {  # what each kind of processor does where nothing is said
    "ViT": {"size": {"height": 224, "width": 224}, "resample": 2, **HALF},
    "ConvNext": {"size": {"shortest_edge": 384}, "resample": 3, "crop_pct": 224 / 256, **HALF},
    "Bit": CROPPED,
    "CLIP": CROPPED,
}
SHARED = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
READ = {*SHARED, *CROPPED, "crop_pct", "default_to_square", "image_processor_type", "feature_extractor_type"}
NOTHING = {"do_convert_rgb", "processor_class", "data_format", "input_data_format", "return_tensors", "device"}
NOTHING |= {"disable_grouping", "_valid_processor_keys", "image_seq_length"}  # of no number here


class Processor(NamedTuple):
    """From pictures of any size to a network's input."""

    config: Mapping[str, Any]  # as preprocessor_config.json says
    resize: tuple[int, int] | int | None  # height and width; or the shorter side; None: as it is
    resample: int  # Pillow's filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming
    crop: tuple[
        tuple[int, int], ...
    ]  # heights and widths of the middle that is kept, in turn; zeros beyond the picture
    factor: float | None  # that bytes are multiplied by; None: by nothing
    mean: tuple[float, ...] | None  # of each channel, that is subtracted after that; None: nothing is
    std: tuple[float, ...]  # of each channel, that is divided by

    def __call__(self, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        """`[B, H, W, C]` float32 of B pictures, uint8 `[h, w, C]` each, or the files that they are in.

        Raises:
          BadInput: as `shaped`.
        """
        return np.asarray(self.scaled(self.shaped(pictures)), np.float32)

    def shaped(self, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        """The same resized and cropped, uint8 `[B, H, W, C]`; a grey picture is one of as many channels, all alike.

        Raises:
          BadInput: if one is no such picture, or they end in several sizes.
        """
        if isinstance(pictures, str | Path) or not len(pictures):
            raise BadInput("pictures are given as [B, H, W, C], or as a list of one or more, each uint8 [H, W, C]")
        found = [self._shaped(_read(picture), i) for i, picture in enumerate(pictures)]
        if len(sizes := sorted({one.shape for one in found})) > 1:
            raise BadInput(f"pictures end in several sizes, {sizes[0]} and {sizes[1]}: give one size at a time")
        return np.stack(found)

    def scaled(self, pictures: Array) -> Array:
        """Of these bytes the numbers, float32, standardised; NumPy's or JAX's."""
        x = pictures.astype(np.float32)
        if self.factor is not None:
            x = x * np.float32(self.factor)
        if self.mean is None:
            return x
        place = (None,) * (x.ndim - 1)
        return (x - np.array(self.mean, np.float32)[place]) / np.array(self.std, np.float32)[place]

    def _shaped(self, picture: np.ndarray, i: int) -> np.ndarray:
        if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or not picture.size:
            told = f"{picture.dtype} {list(picture.shape)}" if hasattr(picture, "dtype") else type(picture).__name__
            raise BadInput(f"picture {i} is {told}, where uint8 [H, W, C] in 0..255 is wanted")
        wanted = len(self.mean) if self.mean is not None else picture.shape[-1]
        if picture.shape[-1] not in (1, wanted) or picture.shape[-1] not in (1, 3):
            raise BadInput(f"picture {i} has {picture.shape[-1]} channels: there must be {wanted}, or 1 of grey")
        picture = self._resized(picture)
        for size in self.crop:
            picture = cropped(picture, size)
        return picture.repeat(wanted // picture.shape[-1], -1)

    def _resized(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        if self.resize is None:
            return picture
        size, (height, width) = self.resize, picture.shape[:2]
        if isinstance(size, int):
            longer = int(size * max(height, width) / min(height, width))
            size = (longer, size) if width <= height else (size, longer)
        if max(size) > LARGEST:
            raise BadInput(f"a picture of {height}x{width} would become one of {size[0]}x{size[1]}: too long and thin")
        whole = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
        return np.asarray(whole.resize(size[::-1], self.resample)).reshape(*size, -1)


def cropped(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[height, width, C]` the middle of a picture `[H, W, C]`, with zeros evenly about it where it is less."""
    for axis, wanted in enumerate(size):
        spare = picture.shape[axis] - wanted
        if spare >= 0:
            picture = picture.take(range(spare // 2, spare // 2 + wanted), axis)
        else:
            pads = [(0, 0)] * picture.ndim
            pads[axis] = (math.ceil(-spare / 2), -spare // 2)
            picture = np.pad(picture, pads)
    return picture


def processor_of(config: Mapping[str, Any], kind: str) -> Processor:
    """What a preprocessor_config.json says.

    Args:
      config: of that file; an empty one is all that its kind does where nothing is said.
      kind: of the processor where it does not say its own: "ViT" ...
    Raises:
      BadInput: for a kind or a field that is not computed here, or a value that a field cannot have.
    """
    told = str(config.get("image_processor_type") or config.get("feature_extractor_type") or kind)
    kind = told.removesuffix("Fast").removesuffix("Pil").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    if kind not in KINDS:
        there = ", ".join(f"{name}ImageProcessor" for name in KINDS) + did_you_mean(kind, KINDS)
        raise BadInput(f"preprocessor_config.json: {told[:80]} is not computed here; there are {there}")
    for name, value in config.items():
        if name not in READ | NOTHING and value not in (None, False):
            raise BadInput(f"preprocessor_config.json: {name} {str(value)[:80]} is not computed here")
    given = {name: value for name, value in config.items() if value is not None}
    does = {**SHARED, "do_center_crop": False, **KINDS[kind], **given}
    is_square = does.get("default_to_square", kind == "ViT")
    for name in ("do_resize", "do_rescale", "do_normalize", "do_center_crop"):
        if not isinstance(does[name], bool):
            raise _wrong(name, does[name], "true or false")
    if type(does["resample"]) is not int or does["resample"] not in range(6):
        raise _wrong("resample", does["resample"], "one of Pillow's filters, 0 to 5")
    resize, crop = (_size("size", does["size"], is_square=is_square is True) if does["do_resize"] else None), []
    if kind == "ConvNext" and resize is not None:
        resize, crop = _of_convnext(resize, does["crop_pct"])
    if does["do_center_crop"]:
        middle = _size("crop_size", does.get("crop_size"), is_square=True)
        if isinstance(middle, int):
            raise _wrong("crop_size", does["crop_size"], "a height and a width")
        crop.append(middle)
    factor = _numbers("rescale_factor", [does["rescale_factor"]])[0] if does["do_rescale"] else None
    mean = std = None
    if does["do_normalize"]:
        mean, std = (_numbers(name, does[name]) for name in ("image_mean", "image_std"))
        if len(mean) != len(std) or not all(std):
            raise _wrong("image_std", does["image_std"], "as many numbers as image_mean, none of them 0")
    return Processor(config, resize, does["resample"], tuple(crop), factor, mean, std or ())


def _of_convnext(size: tuple[int, int] | int, share: Any) -> tuple[tuple[int, int] | int, list[tuple[int, int]]]:
    """(what pictures are resized to, what of them is kept). From 384 on they are whole, stretched."""
    if not isinstance(size, int):
        raise _wrong("size", list(size), "a shortest_edge, for ConvNext's")
    if type(share) not in (int, float) or not 0 < share <= 1:
        raise _wrong("crop_pct", share, "a number in (0, 1]")
    return ((size, size), []) if size >= 384 else (int(size / share), [(size, size)])


def _size(field: str, found: Any, *, is_square: bool) -> tuple[int, int] | int:
    """Height and width, or one number: the shorter side."""
    if isinstance(found, list | tuple) and len(found) == 2:
        found = dict(zip(("height", "width"), found, strict=True))
    if type(found) is int:
        found = {"height": found, "width": found} if is_square else {"shortest_edge": found}
    if isinstance(found, Mapping):
        found = {name: side for name, side in found.items() if side is not None}
        if all(type(side) is int and 1 <= side <= LARGEST for side in found.values()):
            if found.keys() == {"height", "width"}:
                return found["height"], found["width"]
            if found.keys() == {"shortest_edge"}:
                return found["shortest_edge"]
    raise _wrong(field, found, f"a height and a width, or a shortest_edge, 1 to {LARGEST}")


def _numbers(field: str, found: Any) -> tuple[float, ...]:
    several = [found] * 3 if type(found) in (int, float) else found
    if not isinstance(several, list | tuple) or len(several) not in (1, 3):
        raise _wrong(field, found, "one number, or one for each of 1 or 3 channels")
    if not all(type(one) in (int, float) and math.isfinite(one) for one in several):
        raise _wrong(field, found, "finite numbers")
    return tuple(map(float, several))


def _wrong(field: str, found: Any, wanted: str) -> BadInput:
    return BadInput(f"preprocessor_config.json: {field} {str(found)[:80]}: it must be {wanted}")


def _read(picture: np.ndarray | str | Path) -> np.ndarray:
    """A picture, also of a file."""
    if not isinstance(picture, str | Path):
        return np.asarray(picture) if hasattr(picture, "shape") else picture
    file = local_path(str(picture), "picture")
    try:
        return decoded(file.read_bytes())
    except OSError as error:
        raise BadInput(f"picture {picture}: {error.strerror or error}") from None
    except ValueError as error:
        raise BadInput(f"picture {picture} {error}") from None
