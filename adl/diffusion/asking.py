"""What is asked for in words, and what of it is found: in samples, and in pictures that took no learning.

Of captions that tell all there is of a picture (`data.scenes.told`), and a judge that sees what captions tell.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import BadInput, Key, Mean, Probe, State, carrying
from adl.data.text import Captions
from adl.diffusion.denoising import unsaid
from adl.diffusion.evaluation import Sampler
from adl.measure.asked import Attributes, attribute_shares, nearest_asked

COLUMNS = ("image", "caption", "colour", "noun")
PROTOCOL = {  # what `found_in_samples` measures, for the protocols of claims
    "attributes": "share of the places, colours, shapes and numbers asked for that are there",
    "whole": "share of the pictures in which all is as asked for, and nothing more",
    "gain": "share of what is asked for that is there, less that of samples at a scale of 1",
}


class Wanted(NamedTuple):
    """N captions, what they tell, and N pictures each of three kinds, `[N, H, W, C]` in [0, 1]."""

    token: np.ndarray  # [N, T] int
    things: Attributes  # [N, P]
    real: np.ndarray  # the captions' own
    nearest: np.ndarray  # of the training pictures those of which most is asked for
    other: np.ndarray  # another caption's


class AskedFor(NamedTuple):
    """Captions of several kinds, as many of each."""

    captions: Captions  # how they are read
    words: dict[str, list[str]]
    wanted: dict[str, Wanted]


def asked_of(kinds: Mapping[str, data.Split], train: data.Split, *, num: int, new: Sequence[str] = ()) -> AskedFor:
    """What is asked for by the first captions of splits.

    Args:
      kinds: by name, two or more examples with `COLUMNS`.
      train: others, to look up in, and whose words are known.
      num: >= 2, of captions of each kind; as many as there are of all, where these are fewer.
      new: kinds of which each caption tells a pair of colour and shape that none of `train` tells.
    Raises:
      BadInput: if there are fewer than two of a kind, or asked for; if one has a word that no caption of `train` has;
        if one is to tell a new pair, and tells none.
    """
    for name, split in kinds.items():
        if len(split) < 2:
            raise BadInput(f"{len(split)} caption of {name}: two or more are wanted, for a picture that is another's")
    if num < 2:
        raise BadInput(f"{num} caption of each kind: two or more are wanted, for a picture that is another's")
    known = set().union(*_pairs_of(train))
    for name in new:
        if old := sum(pairs <= known for pairs in _pairs_of(kinds[name])):
            raise BadInput(
                f"{old} of {len(kinds[name])} captions of {name} tell no pair of colour and shape that is new"
            )
    captions = Captions.of(words_of(train))
    num = min(num, *map(len, kinds.values()))
    few = {name: split.first(num) for name, split in kinds.items()}
    wanted = {name: _wanted(split, train, captions) for name, split in few.items()}
    return AskedFor(captions, {name: words_of(split) for name, split in few.items()}, wanted)


def _wanted(split: data.Split, train: data.Split, captions: Captions) -> Wanted:
    image, things = split.column("image") / np.float32(255), things_of(split)
    nearest = train.column("image")[nearest_asked(things, things_of(train))] / np.float32(255)
    return Wanted(captions.rows(words_of(split)), things, image, nearest, np.roll(image, 1, 0))


def read_split(split: data.Split, captions: Captions) -> data.Split:
    """Its pictures with "token" `[N, T]`, their captions as rows of one length."""
    return data.Split({"image": split.column("image"), "token": captions.rows(words_of(split))})


def words_of(split: data.Split) -> list[str]:
    """The captions of a split."""
    return [text.decode() if isinstance(text, bytes) else text for text in split.column("caption")]


def things_of(split: data.Split) -> Attributes:
    """What they tell."""
    return Attributes(split.column("colour"), split.column("noun"))


def _pairs_of(split: data.Split) -> list[set[tuple[int, int]]]:
    """Pairs of colour and shape that each caption tells."""
    told = zip(*map(np.ndarray.tolist, things_of(split)), strict=True)
    return [{pair for pair in zip(colours, shapes, strict=True) if pair[1]} for colours, shapes in told]


def found_in_samples(
    sampler: Sampler,
    see: Callable[[Array], Attributes],
    asked: Mapping[str, Wanted],
    *,
    scales: Sequence[float],
    padding: int,
    num_shown: int,
) -> Probe:
    """Probe: `attribute_shares` of what is asked for in samples at each scale of guidance, and in other pictures.

    Args:
      sampler: of a denoiser that is told captions.
      see: the judge; what it carries, as a tree.
      asked: by name, as many of each.
      scales: W of guidance, as in `guidance.classifier_free`, 1 among them.
      padding: the token behind captions.
      num_shown: captions of each of which pictures are shown.
    Returns:
      Of each name and each of `rows_of(scales)` "NAME_ROW_SHARE", and of scales but 1 "NAME_ROW_gain", the share of
      attributes there less that at 1; of each name "NAME_SHARE" `[W + 3]` of the rows in their order, and "NAME_grid"
      `[num_shown, W + 3, H, W, C]`, pictures.
    """
    rows, several = rows_of(scales), jax.tree.map(lambda *leaves: np.stack(leaves), *asked.values())

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        see, several = carried

        def judged(one):
            none = unsaid(one.token, padding=padding)
            drawn = lax.map(lambda scale: sampler.guide(key, state, one.token, none, scale), jnp.array(scales))
            pictures = jnp.concatenate([one.real[None], drawn, one.nearest[None], one.other[None]])
            shares = lax.map(lambda x: attribute_shares(one.things, see(x)), pictures)
            return shares, pictures[:, :num_shown].swapaxes(0, 1)

        shares, grids = lax.map(judged, jax.tree.map(jnp.asarray, several))
        found: dict[str, Mean | Array] = {}
        for i, name in enumerate(asked):
            found[f"{name}_grid"] = grids[i]
            for share, mean in shares.items():
                each = found[f"{name}_{share}"] = mean.value[i]
                found |= {f"{name}_{row}_{share}": Mean.of(each[j]) for j, row in enumerate(rows)}
            for j, scale in enumerate(scales, 1):
                gain = shares["attributes"].value[i, j] - shares["attributes"].value[i, 1 + scales.index(1.0)]
                found |= {f"{name}_{rows[j]}_gain": Mean.of(gain)} if scale != 1 else {}
        return found

    return Partial(probe, (carrying(see), several))


def rows_of(scales: Sequence[float]) -> list[str]:
    """Who makes pictures, in words of metrics: "real", "guided_2" and so on, "nearest", "other"."""
    return ["real", *(f"guided_{scale:g}" for scale in scales), "nearest", "other"]
