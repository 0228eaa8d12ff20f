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
from adl.core import Key, Mean, Probe, State
from adl.data.text import Captions
from adl.diffusion.denoising import unsaid
from adl.diffusion.evaluation import Sampler
from adl.measure.asked import SHARES, Attributes, attribute_shares, nearest_asked

COLUMNS = ("image", "caption", "colour", "noun")


class Wanted(NamedTuple):
    """N captions, what they tell, and N pictures each of three kinds, `[N, H, W, C]` in [0, 1]."""

    token: np.ndarray  # [N, T] int
    things: Attributes  # [N, P]
    real: np.ndarray  # the captions' own
    nearest: np.ndarray  # of the training pictures those of which most is asked for
    other: np.ndarray  # another caption's


def asked_of(split: data.Split, train: data.Split, captions: Captions) -> Wanted:
    """What is asked for by the captions of a split.

    Args:
      split: N >= 2 examples with "image", "caption", "colour" and "noun".
      train: others, to look up in.
      captions: how they are read.
    """
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
      asked: by name.
      scales: W of guidance, as in `guidance.classifier_free`, 1 among them.
      padding: the token behind captions.
      num_shown: captions of each of which pictures are shown.
    Returns:
      Of each name and each of `rows_of(scales)` "NAME_ROW_SHARE"; of each name "NAME_SHARE" `[W + 3]` of the rows in
      their order, "NAME_gain", the share of attributes at the best scale less that at 1, and "NAME_grid"
      `[num_shown, W + 3, H, W, C]`, pictures.
    """
    names = rows_of(scales)

    def judged(see, key: Key, state: State, one: Wanted) -> tuple[dict[str, Array], Array]:
        def at(scale):
            return sampler.guide(key, state, one.token, unsaid(one.token, padding=padding), scale)

        pictures = jnp.concatenate(
            [one.real[None], lax.map(at, jnp.array(scales)), jnp.stack([one.nearest, one.other])]
        )
        shares = lax.map(lambda x: attribute_shares(one.things, see(x)), pictures)
        return shares, pictures[:, :num_shown].swapaxes(0, 1)

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        see, asked = carried
        found: dict[str, Mean | Array] = {}
        for name, one in asked.items():
            one = jax.tree.map(jnp.asarray, one)
            shares, found[f"{name}_grid"] = judged(see, key, state, one)
            for share in SHARES:
                each = found[f"{name}_{share}"] = shares[share].value
                found |= {f"{name}_{row}_{share}": Mean.of(each[i]) for i, row in enumerate(names)}
            of_scales = shares["attributes"].value[1 : 1 + len(scales)]
            found[f"{name}_gain"] = Mean.of(of_scales.max() - of_scales[scales.index(1.0)])
        return found

    return Partial(probe, (see if isinstance(see, Partial) else Partial(see), dict(asked)))


def rows_of(scales: Sequence[float]) -> list[str]:
    """Who makes pictures, in words of metrics: "real", "guided_2" and so on, "nearest", "other"."""
    return ["real", *(f"guided_{scale:g}" for scale in scales), "nearest", "other"]
