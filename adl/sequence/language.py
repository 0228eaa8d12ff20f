"""Language models: the probability of a text is the product of the probabilities of each next token.

A model either sees a piece of text at once, `[B, T] -> [B, T, V]`, or reads on from a cache of what came before. What
looks at a model takes `read(token, carry) -> (logits, carry)`, which is both: where nothing is remembered the carry is
`()`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Learner, Mean, Metrics, Probe, PyTree, border, descend, forward, layout
from adl.prob.labels import cross_entropy, is_correct


@border.columns(token="int [B, T+1]", mask="[B, T]?")
def language_model(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    balance: float = 0.01,
    microbatches: int = 1,
    start: PyTree = None,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood of texts, token by token.

    The state is a `Learner`; a batch is `{"token": [B, T + 1] int}`, of which the model sees the first T and predicts
    the last T, and may hold a "mask" `[B, T]` >= 0 of each: 0 where a prompt or padding follows. A step reports
    the `loss` in nats a token and the `accuracy` of the likeliest token, in [0, 1]. If the model has experts, a step
    also reports their `balance`, which is 1 where all are equally liked.

    Args:
      model: `[B, T] -> [B, T, V]` logits of the next token, causal.
      tx: optax transformation.
      balance: >= 0, weight in the loss of each layer's `balance`, as `nn.experts.Experts` sow it: nats.
      microbatches: as in `core.descend`.
      start: parameters that are tuned further; None: they are drawn as the model says.
      axis: as in `core.descend`.

    Source: Bengio et al. 2003, JMLR 3, section 2.
    """

    def init(key: Key, batch) -> Learner:
        if start is not None:
            return Learner.create({"params": jax.tree.map(jnp.array, start)}, tx)  # copies: a step may donate its own
        return Learner.create(model.init(key, batch["token"][:, :-1]), tx)

    def loss(key: Key, params, extras, batch):
        seen, following = batch["token"][:, :-1], batch["token"][:, 1:]
        logits, extras = forward(model, key, params, extras, seen, sown=["losses"])
        return balanced(surprise(logits, following, batch.get("mask")), extras.pop("losses", {}), balance), extras

    return Algorithm(init, descend(loss, tx, axis, microbatches=microbatches))


def balanced(metrics: Metrics, sown: PyTree, weight: float) -> Metrics:
    """Metrics of a model that sowed "losses": their mean as `balance`, their sum added to the `loss` with a weight.

    Source: Fedus et al. 2022, arXiv:2101.03961, eq. 4.
    """
    sown = jax.tree.leaves(sown)
    if not sown:
        return metrics
    total, count = metrics["loss"]
    loss = Mean(total + weight * sum(sown) * count, count)
    return {**metrics, "loss": loss, "balance": Mean.of(jnp.stack(sown))}


class Reader(NamedTuple):
    """State of `truncated_bptt`: a learner that is in the middle of B texts."""

    learner: Learner
    carry: PyTree  # [B, ...] what it remembers of each


@border.columns(token="int [B, T+1]")
def truncated_bptt(model: nn.Module, tx: optax.GradientTransformation, *, axis: str | None = None) -> Algorithm:
    """Maximum likelihood by a model that reads on: it remembers, but gradients end where a batch begins.

    As `language_model`, but row b of a batch goes on where row b of the last batch stopped (`data.text.streams`), and
    the state is a `Reader`, whose memory splits over devices with the rows.

    Args:
      model: `([B, T], cache=carry) -> ([B, T, V], carry)`, with `empty_cache(B)`, as `nn.token.TokenModel`.
      tx: optax transformation.
      axis: as in `core.descend`.

    Source: Williams & Peng 1990, Neural Computation 2(4), there BPTT(h; h').
    """

    def init(key: Key, batch) -> Reader:
        seen = batch["token"][:, :-1]
        return Reader(Learner.create(model.init(key, seen), tx), model.empty_cache(len(seen)))

    def loss(key: Key, params, extras, batch, carry):
        seen, following = batch["token"][:, :-1], batch["token"][:, 1:]
        (logits, carry), extras = forward(model, key, params, extras, seen, cache=carry)
        return surprise(logits, following), extras, carry

    update = descend(loss, tx, axis)

    def step(key: Key, reader: Reader, batch):
        learner, metrics, carry = update(key, reader.learner, batch, reader.carry)
        return Reader(learner, carry), metrics

    return Algorithm(init, step, Reader(None, 0))


def surprise(logits: Array, following: Array, weight: Array | None = None, size: Array | None = None) -> dict:
    """`loss`: nats at each next token; `accuracy`: how often the likeliest is it.

    Args:
      logits: `[B, T, V]`.
      following: `[B, T]` integers.
      weight: `[B, T]` of each, >= 0; None: 1.
      size: `[V]` characters that a token counts for in the loss, which is then in nats a character; None: 1.
    """
    losses = cross_entropy(logits, following)
    weight = jnp.ones_like(losses) if weight is None else weight
    counts = weight if size is None else weight * jnp.asarray(size)[following]
    accuracy = Mean.of(is_correct(logits, following), weight)
    return {"loss": Mean(Mean.of(losses, weight).total, counts.sum()), "accuracy": accuracy}


def exact_match(logits: Array, following: Array, weight: Array) -> Array:
    """`[B]` whether the likeliest token is right wherever one counts, in a batch as of `surprise`.

    Each is judged after a right beginning; all are right if and only if greedy decoding, which goes on from what it
    said itself, says the same: it leaves the right way nowhere first.
    """
    return ((logits.argmax(-1) == following) | (weight == 0)).all(-1)


# (token [B, T], carry) -> (logits [B, T, V], carry); of texts with padding also mask=[B, T], False there
Read = Callable[..., tuple[Array, PyTree]]


def whole_text(reader: Callable[[PyTree], tuple[Read, PyTree]], texts: PyTree, *, size: Array | None = None) -> Probe:
    """Probe of the surprise at a whole text, each token of which is predicted exactly once.

    Args:
      reader: `reader(state) -> (read, carry)`, the carry of B rows that have read nothing.
      texts: "token" `[W, B, T + 1]` and "mask" `[W, B, T]`: `data.padded(data.text.windows(...), B)`, or
        `data.text.parallel_streams` for a model that remembers.
      size: as in `surprise`: nats a character, also where a token is several.
    Returns:
      A probe of `loss` and `accuracy`.
    """

    def probe(texts, key, state):
        read, carry = reader(state)

        def one(carry, text):
            token, weight = layout.spread(text["token"]), layout.spread(text["mask"])
            logits, carry = read(token[:, :-1], carry)
            return carry, surprise(logits, token[:, 1:], weight, size)

        _, seen = lax.scan(one, carry, texts)
        return jax.tree.map(lambda sums: sums.sum(0), seen)

    return Partial(probe, {name: texts[name] for name in ("token", "mask")})


def log_probs_after(model: nn.Module, variables: PyTree, prompt: Array, text: Array) -> Array:
    """`[B, N, V]` log-probabilities of each next token along texts, given all that is before it.

    Args:
      model: `[B, P + N - 1] -> [B, P + N - 1, V]` logits, causal.
      variables: of the model.
      prompt: `[B, P]` tokens before the texts.
      text: `[B, N]`.
    """
    whole = jnp.concatenate([prompt, text], 1)[:, :-1]
    return jax.nn.log_softmax(model.apply(variables, whole)[:, prompt.shape[1] - 1 :])


def surprise_after(model: nn.Module, variables: PyTree, prompt: Array, text: Array) -> Array:
    """`[B]` mean of -log p of the tokens of each text, in nats a token; arguments as of `log_probs_after`."""
    log_prob = log_probs_after(model, variables, prompt, text)
    return -jnp.take_along_axis(log_prob, text[..., None], -1)[..., 0].mean(1)


class Window(NamedTuple):
    """Carry of `sliding`: the last tokens."""

    token: Array  # [B, T], those that count first
    count: Array  # [B] how many count


def sliding(logits: Callable[[Array], Array], size: int, length: int) -> tuple[Read, Window]:
    """A model that remembers nothing as one that reads token by token: it sees the last T again each time.

    Args:
      logits: `[B, T] -> [B, T, V]`, causal.
      size: rows B.
      length: T >= 1.
    Returns:
      `(read, carry)`. Many tokens at once are read one after the other.
    """

    def one(window: Window, given: tuple[Array, Array]) -> tuple[Window, Array]:
        token, is_real = given
        last = jnp.where((window.count == length)[:, None], jnp.roll(window.token, -1, 1), window.token)
        place = jnp.minimum(window.count, length - 1)[:, None]
        last = jnp.where(jnp.arange(length)[None] == place, token[:, None].astype(last.dtype), last)
        new = Window(jnp.where(is_real[:, None], last, window.token), jnp.where(is_real, place[:, 0] + 1, window.count))
        return new, jnp.take_along_axis(logits(last), place[..., None], 1)[:, 0]

    def read(token: Array, window: Window, mask: Array | None = None) -> tuple[Array, Window]:
        mask = jnp.ones_like(token, bool) if mask is None else mask
        window, seen = lax.scan(one, window, (token.T, mask.T))
        return seen.swapaxes(0, 1), window

    return read, Window(jnp.zeros((size, length), jnp.int32), jnp.zeros(size, jnp.int32))
