"""Rendered data sets, as TFDS builders: their settings and seeds are fixed, so that a number on one of them means
something.

`scenes/standard` [64, 64]: image, segment, instance, depth, box, label, present, seen, joints, visible, caption.
`scenes/clips` [8, 32, 32]: clip, label (which way the moving thing goes), ways.
`scenes/single` [32, 32]: image, label, segment.
`scenes/cats` [32, 32]: the same of cats that nothing hides.
`scenes/told` [32, 32]: image, caption, and what it tells (colour, noun); its third split, "held_out", is of pairs of a
colour and a shape that the others do not have.
Of each there is a small one for a first look: `scenes/sample`, and `scenes/NAME_sample`. Digits of a test split are by
other writers than those of its training split.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled, png
from adl.data.scenes import drawn
from adl.data.scenes.caption import caption
from adl.data.scenes.layout import Variation
from adl.data.scenes.shapes import CLASSES
from adl.data.scenes.told import HUES, NOUNS, PLACES, telling, told_scene

PART = 500  # examples that are held at once


class Part(NamedTuple):
    """A split."""

    num: int
    seed: int


class _Rendered(Bundled, skip_registration=True):
    """Examples that a function renders."""

    description: str
    make: Callable[..., Any]
    parts: Mapping[str, Part]

    def _columns(self) -> dict[str, Any]:
        """TFDS's features."""
        raise NotImplementedError

    def _examples(self, rendered: Any, split: str) -> Iterator[dict[str, Any]]:
        """One by one, from arrays `[N, ...]`."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.description,
            features=tfds.features.FeaturesDict(self._columns()),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        num = sum(part.num for part in self.parts.values())
        if num > PART:
            print(f"scenes: rendering {num:,} examples, once; a minute or two", file=sys.stderr, flush=True)
        return {name: self._generate_examples(name) for name in self.parts}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        num, seed = self.parts[split]
        for start in range(0, num, PART):
            several = self._several(split, seed, min(PART, num - start), start)
            for row, example in enumerate(self._examples(several, split)):
                yield start + row, example

    def _several(self, split: str, seed: int, num: int, start: int) -> Any:
        """Arrays `[num, ...]` of examples of a split, from that one on."""
        return drawn.rendered(type(self).make, seed, num, split=split, start=start)


class Standard(_Rendered, skip_registration=True):
    """Rooms with three to eight things, one of them a person."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="standard")]
    description = "Rendered rooms with 3 to 8 things, half of them partly hidden, with exact labels."
    make = functools.partial(drawn.scene)
    parts = {"train": Part(8000, 1), "test": Part(1000, 2)}

    def _columns(self) -> dict[str, Any]:
        tensor = tfds.features.Tensor
        return {
            "image": tfds.features.Image(shape=(64, 64, 3)),
            "segment": tensor(shape=(64, 64), dtype=np.uint8),
            "instance": tensor(shape=(64, 64), dtype=np.uint8),
            "depth": tensor(shape=(64, 64), dtype=np.float32),
            "box": tensor(shape=(8, 4), dtype=np.float32),
            "label": tfds.features.Sequence(tfds.features.ClassLabel(names=CLASSES), length=8),
            "present": tensor(shape=(8,), dtype=np.float32),
            "seen": tensor(shape=(8,), dtype=np.float32),
            "joints": tensor(shape=(14, 2), dtype=np.float32),
            "visible": tensor(shape=(14,), dtype=np.bool_),
            "caption": tfds.features.Text(),
        }

    def _examples(self, rendered: Any, split: str) -> Iterator[dict[str, Any]]:
        columns, digits = rendered._asdict(), drawn.digits()
        for row in range(len(rendered.image)):
            example = {name: column[row] for name, column in columns.items()}
            words = caption(
                *(example[name] for name in ("label", "present", "box", "colour")), digits[example["digit"]]
            )
            del example["colour"], example["digit"]
            yield {**example, "image": png(example["image"]), "label": example["label"].tolist(), "caption": words}


class Clips(_Rendered, skip_registration=True):
    """Rooms in which the nearest thing moves for a while."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="clips")]
    description = "Eight frames of a rendered room in which one thing goes left, right, nearer or farther."
    make = functools.partial(drawn.clip)
    parts = {"train": Part(4000, 5), "test": Part(1000, 6)}

    def _columns(self) -> dict[str, Any]:
        return {
            "clip": tfds.features.Tensor(shape=(8, 32, 32, 3), dtype=np.uint8),
            "label": tfds.features.ClassLabel(names=drawn.WAYS),
            "ways": tfds.features.Tensor(shape=(8,), dtype=np.uint8),
        }

    def _examples(self, rendered: Any, split: str) -> Iterator[dict[str, Any]]:
        for clip, label, ways in zip(*rendered, strict=True):
            yield {"clip": clip, "label": int(label), "ways": ways}


class Single(_Rendered, skip_registration=True):
    """One thing a picture, of which leaves may hide a part."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="single")]
    description = "A rendered thing of one of eight classes in a room, with leaves of no class before and behind it."
    make = functools.partial(drawn.single)
    parts = {"train": Part(8000, 9), "test": Part(2000, 10)}

    def _columns(self) -> dict[str, Any]:
        return {
            "image": tfds.features.Image(shape=(32, 32, 3)),
            "label": tfds.features.ClassLabel(names=CLASSES),
            "segment": tfds.features.Tensor(shape=(32, 32), dtype=np.uint8),
        }

    def _examples(self, rendered: Any, split: str) -> Iterator[dict[str, Any]]:
        for image, label, segment in zip(rendered.image, rendered.label[:, 0], rendered.segment, strict=True):
            yield {"image": png(image), "label": int(label), "segment": segment}


class Cats(Single, skip_registration=True):
    """Cats, of which nothing hides a part."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="cats")]
    description = "A rendered cat in a room."
    make = functools.partial(drawn.single, kind=CLASSES.index("cat"), variation=Variation(occlusion=0.0, clutter=0.2))
    parts = {"train": Part(4000, 15), "test": Part(1000, 16)}


class ToldScenes(_Rendered, skip_registration=True):
    """One to three things in quarters of their own, and a caption that tells all of them."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="told")]
    description = "One to three rendered things, each in its quarter of the picture, and a caption that tells them all."
    make = functools.partial(told_scene)
    make_held_out = functools.partial(told_scene, held_out=True)
    parts = {"train": Part(8000, 19), "test": Part(1000, 20), "held_out": Part(1000, 21)}

    def _columns(self) -> dict[str, Any]:
        four = functools.partial(tfds.features.Tensor, shape=(len(PLACES),), dtype=np.int32)
        return {
            "image": tfds.features.Image(shape=(32, 32, 3)),
            "caption": tfds.features.Text(),
            "colour": four(doc=f"at each of {', '.join(PLACES)}: 0, nothing, or one of {', '.join(HUES)}"),
            "noun": four(doc=f"the same of {', '.join(NOUNS)}"),
        }

    def _several(self, split: str, seed: int, num: int, start: int) -> Any:
        make = type(self).make_held_out if split == "held_out" else type(self).make
        return drawn.rendered(make, seed, num, start=start)

    def _examples(self, rendered: Any, split: str) -> Iterator[dict[str, Any]]:
        for image, colour, noun, order in zip(*rendered, strict=True):
            words = telling(colour, noun, order)
            yield {"image": png(image), "caption": words, "colour": colour, "noun": noun}


class Sample(Standard, skip_registration=True):
    """A few of `Standard`'s kind."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="sample")]
    parts = {"train": Part(64, 3), "test": Part(32, 4)}


class ClipsSample(Clips, skip_registration=True):
    """A few of `Clips`' kind."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="clips_sample")]
    parts = {"train": Part(64, 7), "test": Part(32, 8)}


class SingleSample(Single, skip_registration=True):
    """A few of `Single`'s kind."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="single_sample")]
    parts = {"train": Part(64, 11), "test": Part(32, 12)}


class CatsSample(Cats, skip_registration=True):
    """A few of `Cats`' kind."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="cats_sample")]
    parts = {"train": Part(64, 17), "test": Part(32, 18)}


class ToldSample(ToldScenes, skip_registration=True):
    """A few of `ToldScenes`' kind."""

    name = "scenes"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="told_sample")]
    parts = {"train": Part(64, 22), "test": Part(32, 23), "held_out": Part(32, 24)}


ALL = (Standard, Sample, Clips, ClipsSample, Single, SingleSample, Cats, CatsSample, ToldScenes, ToldSample)
SETS = {builder.BUILDER_CONFIGS[0].name: builder for builder in ALL}
