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
from adl.measure.captions import caption_scores
from adl.prob.neighbours import squared_distances
from adl.sequence.decode import generate
from adl.sequence.language import surprise
from adl.sequence.translation import reader_of

AT_ONCE = 100  # pictures
SCORES = ("exact", "bleu")


@border.columns(image="[B, ...]", token="int [B, T+1]", mask="[B, T]?")
def captioning(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, Array], Array] = lambda key, image: image,
    word_dropout: Array | float = 0.0,
    unknown: int = 0,
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
      word_dropout: in [0, 1], how often a token that the model sees, but for the first, is hidden from it: what follows
        must then be seen in the picture, and not be guessed from the words before.
      unknown: the token that stands for one that is hidden.
      axis: as in `core.descend`.

    Source: Vinyals et al. 2015, arXiv:1411.4555, eq. 1 and 2; of answers to questions about pictures: Liu et al. 2023,
    arXiv:2304.08485, eq. 3; word dropout: Bowman et al. 2016, arXiv:1511.06349, section 3.2.
    """

    def init(key: Key, batch) -> Learner:
        x = prepare(jax.random.fold_in(key, 1), batch["image"])
        return Learner.create(model.init(key, x, batch["token"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, word_key, key = jax.random.split(key, 3)
        x, token = prepare(prepare_key, batch["image"]), batch["token"]
        is_hidden = jax.random.bernoulli(word_key, word_dropout, token[:, :-1].shape).at[:, 0].set(False)
        seen = jnp.where(is_hidden, unknown, token[:, :-1])
        logits, extras = forward(model, key, params, extras, x, seen)
        return surprise(logits, token[:, 1:], batch.get("mask")), extras

    return Algorithm(init, descend(loss, tx, axis))


def caption_looks(model: nn.Module, variables: PyTree, x: Array, num_tokens: int, *, start: int, end: int) -> tuple:
    """As `caption_of`, and `[B, N, U]` where in the picture each word looks."""
    said = caption_of(model, variables, x, num_tokens, start=start, end=end)
    seen = jnp.pad(said, ((0, 0), (1, 0)), constant_values=start)[:, :-1]
    return said, model.looks(variables, x, seen)


def caption_of(model: nn.Module, variables: PyTree, x: Array, num_tokens: int, *, start: int, end: int) -> Array:
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
    look: Callable[[State, Array], tuple[Array, Array]],
    parts: Mapping[str, data.Split],
    others: Mapping[str, Mapping[str, Array]],
    *,
    end: int,
    num_shown: int,
) -> Probe:
    """Probe: how right captions are, said by a model, and of others that took no learning.

    Args:
      look: `(state, image [B, ...]) -> (token [B, N], weights [B, N, U])`, captions, and where their words look.
      parts: "image" `[M, ...]` and "token" `[M, N + 1]`, captions with a token before, by the name of the part.
      others: captions of the same pictures `[M, N]` by the part and by who said them, the same in all.
      end: the token behind captions.
      num_shown: R, pictures of each part whose captions are shown.
    Returns:
      `probe(key, state)`: of each part `PART_exact` and `PART_bleu`, as of `caption_scores`, and `PART_NAME_exact` and
      `PART_NAME_bleu` of the others; and arrays `every_exact` and `every_bleu` of these in their order, and of the
      first R pictures of each part `said` and `weights`.
    """
    size = min(AT_ONCE, *map(len, parts.values()))
    images = {part: data.padded(split.require("image"), size)["image"] for part, split in parts.items()}
    wanted = {part: split.column("token")[:, 1:] for part, split in parts.items()}

    who = [*next(iter(others.values()))]

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        images, wanted, others = carried
        # In the parts' own order: a tree of columns has the one of their names.
        said, weights = lax.map(lambda x: look(state, x), jnp.concatenate([images[part] for part in parts]))
        told, first, shown = {}, 0, []
        for part in parts:
            right = wanted[part]
            rows = slice(first, first + len(images[part]))
            mine = said[rows].reshape(-1, said.shape[-1])[: len(right)]
            for name, tokens in {"": mine, **{f"{name}_": others[part][name] for name in who}}.items():
                told |= {f"{part}_{name}{score}": of for score, of in caption_scores(tokens, right, end=end).items()}
            shown.append((mine[:num_shown], weights[first][:num_shown]))
            first = rows.stop
        every = {score: [mean.value for name, mean in told.items() if name.endswith(score)] for score in SCORES}
        said, weights = (jnp.concatenate(parts) for parts in zip(*shown, strict=True))
        return (
            told | {f"every_{score}": jnp.stack(of) for score, of in every.items()} | {"said": said, "weights": weights}
        )

    return Partial(probe, (images, wanted, {part: dict(of) for part, of in others.items()}))


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
