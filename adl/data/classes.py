"""Some classes of a data set, as a data set of its own."""

from collections.abc import Sequence

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.split import Split


def chosen_classes(split: Split, classes: Sequence[int], *, each: int | None = None, seed: int = 0) -> Split:
    """The examples of some classes, which are numbered 0 ... K - 1 in their order; in memory.

    Args:
      split: with "image" and "label".
      classes: K of them, by their numbers there.
      each: examples that are drawn of each class, none twice; None: all.
      seed: of the draw.
    Raises:
      BadInput: if the split has none of a class, or fewer than are to be drawn.
    """
    label = split.column("label")
    of = [np.flatnonzero(label == one) for one in classes]
    for one, rows in zip(classes, of, strict=True):
        if len(rows) < (each or 1):
            wanted = "none" if not len(rows) else f"{len(rows)}, fewer than {each}"
            name = dict(enumerate(split.class_names)).get(one, one)
            raise BadInput(f"class {name} has {wanted} of the {len(split)} examples")
    if each is not None:
        rng = np.random.Generator(np.random.Philox(key=seed))
        of = [rng.permutation(rows)[:each] for rows in of]
    rows = np.sort(np.concatenate(of))
    number = {one: i for i, one in enumerate(classes)}
    renamed = np.array([number[one] for one in label[rows].tolist()], np.int32)
    return Split({**split.subset(rows).arrays, "label": renamed})


def named_class(split: Split, name: str) -> Split:
    """The examples of one class, "image" alone; in memory.

    Args:
      split: with "image" and "label".
      name: of the class, as in `Split.class_names`.
    Raises:
      BadInput: if there is no class of that name, or no example of it.
    """
    names = split.class_names
    if name not in names:
        raise BadInput(
            f"no class {name!r}; there are {', '.join(names) or 'none with a name'}{did_you_mean(name, names)}"
        )
    return chosen_classes(split, [names.index(name)]).require("image")
