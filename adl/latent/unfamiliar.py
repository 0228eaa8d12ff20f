"""Pictures to learn from, others to test, and strangers to both, as rows of numbers: where finding outliers begins."""

from typing import NamedTuple

import numpy as np

from adl import data
from adl.core import BadInput
from adl.latent.baselines import middles
from adl.measure.outliers import strangers


class Unfamiliar(NamedTuple):
    """Rows, the middles of grey levels in [0, 1]."""

    x: np.ndarray  # [N, D] to learn from
    label: np.ndarray  # [N]
    new: np.ndarray  # [M, D] to test
    new_label: np.ndarray  # [M]
    others: dict[str, np.ndarray]  # [., D] strangers by kind
    levels: int  # of grey
    shape: tuple[int, ...]  # (H, W, C) of a picture

    @property
    def classes(self) -> np.ndarray:
        """`[K]` of those learned that are tested too."""
        return np.intersect1d(self.label, self.new_label)


def unfamiliar(
    train: data.Split,
    test: data.Split,
    other: data.Split | None,
    *,
    num_train: int,
    num_test: int,
    num_factors: int,
) -> Unfamiliar:
    """Rows of pictures, and of strangers: those that `strangers` makes of the test pictures, and others.

    Args:
      train: "image" and "label", to learn from.
      test: of the same, to test.
      other: "image" of further strangers, of the same shape and of up to 256 levels; or None.
      num_train: pictures to learn from; all, where there are fewer.
      num_test: pictures to test, and others; all, where there are fewer.
      num_factors: that are to be found in the rows, fewer than these have numbers.
    Raises:
      BadInput: for strangers of another shape, too many factors, or classes of which none can be left out, or found;
        else as `baselines.middles`.
    """
    levels, train, test = data.image.num_levels(train, test), train.first(num_train), test.first(num_test)
    kinds = {kind: (image, levels) for kind, image in strangers(test.arrays["image"]).items()}
    if other is not None:
        if other.example_shape != train.example_shape:
            shapes = f"{list(other.example_shape)}, and those that are learned {list(train.example_shape)}"
            raise BadInput(f"--others: its pictures are {shapes}; --picture_size brings both to one size")
        kinds["others"] = (other.first(num_test).arrays["image"], 256)
    x = middles(train.arrays["image"], levels=levels)
    if num_factors >= x.shape[1]:
        raise BadInput(f"--num_factors {num_factors}: pictures of {x.shape[1]} numbers have fewer components")
    new = middles(test.arrays["image"], levels=levels, learned=False)
    rows = {kind: np.asarray(middles(image, levels=num, learned=False)) for kind, (image, num) in kinds.items()}
    labels = (train.arrays["label"], test.arrays["label"])
    found = Unfamiliar(np.asarray(x), labels[0], np.asarray(new), labels[1], rows, levels, train.example_shape)
    for what, label in zip(("to learn from", "to test"), labels, strict=True):
        if len(np.unique(label)) < 2:
            raise BadInput(f"the {len(label)} pictures {what} are of one class: two at least, for one to be a stranger")
    if not len(found.classes):
        raise BadInput("no class of the pictures to learn from is among those to test: none can be left out and found")
    return found
