"""From a picture to a text: the probability of a caption, token by token, given what is seen."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import Algorithm, Key, Learner, Mean, Probe, PyTree, State, border, descend, forward
from adl.measure.bleu import caption_scores
from adl.prob.neighbours import squared_distances
from adl.sequence.decode import generate
from adl.sequence.language import surprise
from adl.sequence.translation import reader_of

AT_ONCE = 100  # pictures


@border.columns(image="[B, ...]", token="int [B, T+1]", mask="[B, T]?")
def captioning(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, Array], Array] = lambda key, image: image,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of texts, given the pictures that they are about.

    The state is a `Learner`; a batch is `{"image": [B, ...], "token": [B, T + 1] int}`, of whose tokens the model sees
    the first T and predicts the last T, and may hold a "mask" `[B, T]` >= 0 of each: 0 where a question or padding
    follows. A step reports the `loss` in nats a token and the `accuracy` of the likeliest token, in [0, 1].

    Args:
      model: `(x, token [B, T]) -> [B, T, V]` logits of the next token, causal.
      tx: optax transformation.
      prepare: `prepare(key, image) -> x` `[B, ...]`, what the model sees of pictures.
      axis: as in `core.descend`.

    Source: Vinyals et al. 2015, arXiv:1411.4555, eq. 1 and 2; of answers to questions about pictures: Liu et al. 2023,
    arXiv:2304.08485, eq. 3.
    """

    def init(key: Key, batch) -> Learner:
        x = prepare(jax.random.fold_in(key, 1), batch["image"])
        return Learner.create(model.init(key, x, batch["token"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, key = jax.random.split(key)
        x, token = prepare(prepare_key, batch["image"]), batch["token"]
        logits, extras = forward(model, key, params, extras, x, token[:, :-1])
        return surprise(logits, token[:, 1:], batch.get("mask")), extras

    return Algorithm(init, descend(loss, tx, axis))


def caption_of(
    model: nn.Module, variables: PyTree, x: Array, num_tokens: int, *, start: int, end: int
) -> Array:
    """`[B, N]` the likeliest words one by one, of pictures `x` `[B, ...]`; behind an end there are only ends.

    Args:
      model: as `nn.picture_reader.Captioner`.
      variables: of the model.
      x: what it sees.
      num_tokens: N >= 1, at most.
      start: the token that stands before a caption.
      end: the token that stands behind one.
    """
    read, cache = reader_of(model, variables, x, num_tokens)
    prompt = jnp.full((len(x), 1), start, jnp.int32)
    return generate(jax.random.key(0), read, cache, prompt, num_tokens, stop=[end], pad=end).token


def judged_captions(
    say: Callable[[State, Array], Array], pictures: data.Split, others: Mapping[str, Array], *, end: int
) -> Probe:
    """Probe: how right captions are, said by a model, and of others that took no learning.

    Args:
      say: `(state, image [B, ...]) -> [B, N]` tokens.
      pictures: "image" `[M, ...]` and "token" `[M, N + 1]`, their captions with a token before.
      others: captions of the same pictures by who said them, `[M, N]`.
      end: the token behind captions.
    Returns:
      `probe(key, state)`: `exact` and `bleu`, as of `caption_scores`, and `NAME_exact` and `NAME_bleu` of the others.
    """
    rows = data.padded(pictures, min(AT_ONCE, len(pictures)))

    def probe(carried, key: Key, state: State) -> dict[str, Mean]:
        image, wanted, others = carried
        said = lax.map(lambda x: say(state, x), image)
        said = said.reshape(-1, said.shape[-1])[: len(wanted)]
        told = caption_scores(said, wanted, end=end)
        for name, tokens in others.items():
            told |= {f"{name}_{score}": mean for score, mean in caption_scores(tokens, wanted, end=end).items()}
        return told

    return Partial(probe, (rows["image"], pictures.column("token")[:, 1:], dict(others)))


def plain_captions(known: data.Split, pictures: data.Split) -> dict[str, np.ndarray]:
    """Captions that take no learning, `[M, N]`: "constant", the most frequent one, and that of the "nearest" picture.

    Args:
      known: "image" `[K, ...]` and "token" `[K, N + 1]`.
      pictures: "image" `[M, ...]`, which are nearest to one another by the Euclidean distance of their pixels.
    """
    said = known.column("token")[:, 1:]
    every, counts = np.unique(said, axis=0, return_counts=True)
    x, y = (split.column("image").reshape(len(split), -1).astype(np.float32) for split in (pictures, known))
    nearest = np.asarray(squared_distances(x, y).argmin(1))
    return {"constant": np.repeat(every[counts.argmax()][None], len(pictures), 0), "nearest": said[nearest]}
