"""What the research sets have in common: a builder over raw files, and a sum by which their examples are known.

The authors' files come packed, unpacked, and from mirrors, and their own sums are not always known. So what a set is
known by is the SHA-256 of its *examples*, read back from what was written: pixels, texts and numbers, which no other
way of packing changes. Pictures that keep the bytes of the authors' JPEG files are known by these.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from adl.data.research.raw import Raw

_PORTION = 1000  # examples that are read at once

Examples = Iterable[tuple[Any, dict[str, Any]]]  # key, by which the order is shuffled, and values


class ResearchSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set, made of the files that its authors publish; see `known` for how it is told from a changed one."""

    VERSION = tfds.core.Version("1.0.0")
    use: ClassVar[str]  # what is in it
    files: ClassVar[tuple[str, ...]]  # that are wanted
    source: ClassVar[str]  # who publishes them, and where
    licence: ClassVar[str]  # as stated there
    protocol: ClassVar[str] = ""  # of its splits
    known: ClassVar[Mapping[str, tuple[int, str]]]  # of each split the number of examples, and the sum of these
    sums: ClassVar[Mapping[str, str]] = {}  # SHA-256 of those files of which it is known
    unchecked: ClassVar[tuple[str, ...]] = ()  # columns that are not in the sum, and why not is said in the docstring
    in_order: ClassVar[bool] = False  # of the files; else in that of TFDS's hash of the keys
    metadata: ClassVar[Mapping[str, Any] | None] = None

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(skip_registration=True, **kwargs)  # TFDS has some of these names itself

    def __init__(self, *, raw: Raw, **kwargs: Any):
        self.raw = raw
        super().__init__(**kwargs)

    @classmethod
    def _get_pkg_dir_path(cls) -> epath.Path:  # where TFDS looks for citations and checksums, of which there are none
        return epath.Path(Path(__file__).parent)

    def columns(self) -> dict[str, Any]:
        """TFDS's features by name."""
        raise NotImplementedError

    def examples(self) -> Mapping[str, Examples]:
        """Of each split its examples; a picture is `[H, W, C]` uint8, or the bytes of a file."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        told = [f"{self.use}.", self.protocol and f"{self.protocol}.", f"Source: {self.source}."]
        return tfds.core.DatasetInfo(
            builder=self,
            description=" ".join(filter(None, told)),
            features=tfds.features.FeaturesDict(self.columns()),
            metadata=tfds.core.MetadataDict(self.metadata) if self.metadata else None,
            redistribution_info={"license": self.licence},
            disable_shuffling=self.in_order,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[Any, dict[str, Any]]]]:
        return {split: self._generate_examples(examples) for split, examples in self.examples().items()}

    def _generate_examples(self, examples: Examples) -> Iterator[tuple[Any, dict[str, Any]]]:
        pictures = [name for name, one in self.info.features.items() if isinstance(one, tfds.features.Image)]
        for key, example in examples:
            yield key, {**example, **{name: _file(example[name]) for name in pictures}}


def raw_tensor(shape: tuple[int | None, ...], dtype: Any) -> tfds.features.Tensor:
    """A column of arrays that are stored as they lie in memory; a size None differs between examples."""
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")


def by_sum(name: str, items: list[str]) -> list[str]:
    """Items in the order of the SHA-256 of `NAME:ITEM`, which knows nothing of what they are."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{name}:{item}".encode()).digest())


def _file(picture: np.ndarray | bytes) -> io.BytesIO:
    """A picture as TFDS takes it: it would encode an array with TensorFlow."""
    import cv2

    if isinstance(picture, np.ndarray):
        picture = cv2.imencode(".png", picture if picture.shape[2] == 1 else picture[..., ::-1])[1].tobytes()
    return io.BytesIO(picture)


def content_sum(builder: Any, split: str, unchecked: Iterable[str] = ()) -> tuple[int, str]:
    """Number of the examples of a prepared split, and their SHA-256: with their order where the set keeps one.

    Args:
      builder: TFDS's, of a prepared set.
      split: its name.
      unchecked: columns that are left out.
    """
    features, left_out = builder.info.features, {*unchecked}
    as_bytes = {
        name: tfds.decode.SkipDecoding()
        for name, feature in features.items()
        if isinstance(feature, tfds.features.Image) and (feature.encoding_format == "jpeg" or name in left_out)
    }
    source = builder.as_data_source(split, decoders=as_bytes or None)
    sums = []
    for start in range(0, len(source), _PORTION):
        for example in source.__getitems__(list(range(start, min(start + _PORTION, len(source))))):
            kept = {name: value for name, value in example.items() if name not in left_out}
            sums.append(hashlib.sha256(b"".join(_canonical(kept))).digest())
    ordered = sums if builder.info.disable_shuffling else sorted(sums)
    return len(sums), hashlib.sha256(b"".join(ordered)).hexdigest()


def _canonical(value: Any) -> Iterator[bytes]:
    """Bytes that differ where values, types, shapes or names do."""
    if isinstance(value, dict):
        yield b"{%d" % len(value)
        for name in sorted(value):
            yield from (name.encode(), b":", *_canonical(value[name]))
    elif isinstance(value, list):
        yield b"[%d" % len(value)
        for one in value:
            yield from _canonical(one)
    elif isinstance(value, bytes):
        yield from (b"b%d:" % len(value), value)
    else:
        array = np.asarray(value)
        # Scalars come as Python's numbers or as NumPy's.
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64) if array.ndim == 0 else array
        yield from (array.dtype.str.encode(), str(array.shape).encode(), np.ascontiguousarray(array).tobytes())
