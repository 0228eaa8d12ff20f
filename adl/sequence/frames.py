"""Music frame by frame: a state that remembers what has sounded, and a distribution of what sounds next.

Frames are `[B, T + 1, K]` keys, 1 where one sounds, or `[B, T + 1, 4]` the keys of four voices, counted from 1, 0 being
silence; the first is what is given before a piece begins. A `FrameModel` puts out log p(frame | those before) in nats,
by any layers along time, and any output: keys one by one (`Independent`), each given those below it (`Nade`), or each
voice given those above it (`FourVoices`).
"""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl import data
from adl.core import Key, Learner, Mean, Metrics, Probe, full_pass
from adl.data.music.reading import ROOM
from adl.nn.dropout import Dropout
from adl.nn.recurrent import Recurrents, lstm
from adl.prob.distributions import bernoulli_log_prob

Kind = Literal["independent", "nade", "voices", "logistic"]
NAMES: dict[Kind, str] = {
    "independent": "LSTM, independent keys",
    "nade": "LSTM-NADE",
    "voices": "LSTM, voice after voice",
    "logistic": "logistic regression on two frames",
}
AT_ONCE = 20  # pieces


class Independent(nn.Module):
    """Each key sounds by itself: log p(v | h) = sum_k log Bernoulli(v_k; sigmoid(b_k + W_k h))."""

    log_odds: tuple[float, ...]  # [K] b at the start: of how often each sounds

    def setup(self) -> None:
        """The affine map."""
        self.head = nn.Dense(len(self.log_odds), bias_init=lambda *_: jnp.array(self.log_odds))

    def __call__(self, h: Array, frame: Array) -> Array:
        """`[N]` log-probabilities of frames `[N, K]` given `h` `[N, E]`."""
        return bernoulli_log_prob(frame.astype(jnp.float32), self.head(h)).sum(-1)

    def draw(self, key: Key, h: Array) -> Array:
        """A frame `[N, K]`."""
        return jax.random.bernoulli(key, nn.sigmoid(self.head(h))).astype(jnp.float32)

    def seen(self, frame: Array) -> Array:
        """`[..., K]` what the state is told of a frame."""
        return frame.astype(jnp.float32)


class Nade(nn.Module):
    """Each key given those below it: p(v_k = 1 | v_<k, h) = sigmoid(b_k + V_k sigmoid(c + W_<k v_<k)).

    b and c are affine in h.

    Source: Larochelle & Murray 2011, AISTATS, eq. 10 and 11; Boulanger-Lewandowski et al. 2012, arXiv:1206.6392,
      section 5, the RNN-NADE.
    """

    log_odds: tuple[float, ...]  # [K], as in `Independent`
    num_hidden: int  # of c

    def setup(self) -> None:
        """Affine maps of h, and what the keys have with each other."""
        num_keys, small = len(self.log_odds), nn.initializers.normal(0.05)
        self.bias = nn.Dense(num_keys, bias_init=lambda *_: jnp.array(self.log_odds))
        self.hidden = nn.Dense(self.num_hidden)
        self.below = self.param("below", small, (num_keys, self.num_hidden))  # W
        self.out = self.param("out", small, (num_keys, self.num_hidden))  # V

    def __call__(self, h: Array, frame: Array) -> Array:
        """`[N]`, as of `Independent`."""

        def step(c: Array, now) -> tuple[Array, Array]:
            bias, v, below, out = now
            logit = bias + nn.sigmoid(c) @ out
            return c + v[:, None] * below[None], bernoulli_log_prob(v, logit)

        _, found = lax.scan(step, self.hidden(h), (self.bias(h).T, frame.astype(jnp.float32).T, self.below, self.out))
        return found.sum(0)

    def draw(self, key: Key, h: Array) -> Array:
        """A frame `[N, K]`."""

        def step(c: Array, now) -> tuple[Array, Array]:
            bias, key, below, out = now
            v = jax.random.bernoulli(key, nn.sigmoid(bias + nn.sigmoid(c) @ out)).astype(jnp.float32)
            return c + v[:, None] * below[None], v

        keys = jax.random.split(key, len(self.log_odds))
        return lax.scan(step, self.hidden(h), (self.bias(h).T, keys, self.below, self.out))[1].T

    def seen(self, frame: Array) -> Array:
        """`[..., K]` what the state is told of a frame."""
        return frame.astype(jnp.float32)


class FourVoices(nn.Module):
    """Each voice given those above it: p(n_i | n_<i, h) = softmax(b_i + V_i tanh(c + sum_{j < i} W_j[n_j])).

    Source: the chain rule of Larochelle & Murray 2011, AISTATS, of categories in place of bits.
    """

    num_keys: int  # K
    num_hidden: int  # of c

    def setup(self) -> None:
        """An affine map of h, and of each voice."""
        self.hidden = nn.Dense(self.num_hidden)
        self.above = [nn.Embed(self.num_keys + 1, self.num_hidden) for _ in range(3)]  # W
        self.heads = [nn.Dense(self.num_keys + 1) for _ in range(4)]  # b, V

    def __call__(self, h: Array, frame: Array) -> Array:
        """`[N]` log-probabilities of frames `[N, 4]`."""
        return self._along(h, lambda voice, logits: frame[:, voice])[1]

    def draw(self, key: Key, h: Array) -> Array:
        """A frame `[N, 4]`."""
        keys = jax.random.split(key, 4)
        return self._along(h, lambda voice, logits: jax.random.categorical(keys[voice], logits))[0]

    def seen(self, frame: Array) -> Array:
        """`[..., 4 (K + 1)]` what the state is told of a frame."""
        return jax.nn.one_hot(frame, self.num_keys + 1).reshape(*frame.shape[:-1], -1)

    def _along(self, h: Array, choose: Callable[[int, Array], Array]) -> tuple[Array, Array]:
        """(the notes `[N, 4]` that were chosen one after the other, `[N]` their log-probability)."""
        c, notes, total = self.hidden(h), [], jnp.zeros(len(h))
        for voice, head in enumerate(self.heads):
            logits = jax.nn.log_softmax(head(jnp.tanh(c)))
            note = choose(voice, logits).astype(jnp.int32)
            total += jnp.take_along_axis(logits, note[:, None], 1)[:, 0]
            notes.append(note)
            if voice < 3:
                c = c + self.above[voice](note)
        return jnp.stack(notes, -1), total


class FrameModel(nn.Module):
    """`[B, T + 1, ...] -> [B, T]` log-probability in nats of each frame but the first, given all before it.

    Source: Boulanger-Lewandowski et al. 2012, arXiv:1206.6392, eq. 3.
    """

    output: nn.Module
    layers: nn.Module | None  # along time, `(x [B, T, D], state) -> ([B, T, E], state)`; None: the last two frames
    dropout: float = 0.0  # in [0, 1), of what the output sees

    @nn.compact
    def __call__(self, frame: Array) -> Array:
        """As the class says."""
        h, _ = self.remember(frame[:, :-1])
        told = frame[:, 1:]
        found = self.output(Dropout(self.dropout)(h.reshape(-1, h.shape[-1])), told.reshape(-1, told.shape[-1]))
        return found.reshape(told.shape[:2])

    def remember(self, frame: Array, state=None) -> tuple[Array, Array]:
        """(`[B, T, E]` what is known after each frame `[B, T, ...]`, the state after all)."""
        x = self.output.seen(frame)
        if self.layers is not None:
            return self.layers(x, state)
        state = jnp.zeros_like(x[:, :1]) if state is None else state
        before = jnp.concatenate([state, x[:, :-1]], 1)
        return jnp.concatenate([x, before], -1), x[:, -1:]

    def follow(self, key: Key, frame: Array, state) -> tuple[Array, Array]:
        """(a frame `[B, ...]` after `frame` `[B, ...]`, the state then)."""
        h, state = self.remember(frame[:, None], state)
        return self.output.draw(key, h[:, 0]), state


def frame_model(
    kind: Kind, log_odds: tuple[float, ...], *, width: int, num_hidden: int, dropout: float, dtype: jnp.dtype
) -> FrameModel:
    """A model of the frames of pieces.

    Args:
      kind: of `NAMES`.
      log_odds: `[K]` of how often each key sounds.
      width: of the LSTM.
      num_hidden: of what ties the notes of a frame to each other.
      dropout: in [0, 1).
      dtype: of the recurrent layers' computation.
    """
    if kind == "logistic":
        return FrameModel(Independent(log_odds), None)
    output = Independent(log_odds) if kind == "independent" else Nade(log_odds, num_hidden)
    output = FourVoices(len(log_odds), num_hidden) if kind == "voices" else output
    return FrameModel(output, Recurrents(lstm, (width,), dtype=dtype), dropout)


def column_of(kind: Kind) -> str:
    """Of a batch, what a model of this kind sees."""
    return "voices" if kind == "voices" else "frame"


def excerpts(name: str, *, length: int, moved: int = ROOM) -> Callable[[Key, Mapping[str, Array]], tuple[Array, Array]]:
    """`prepare` of pieces: of each some frames on end, from anywhere in it, in another key.

    Args:
      name: of the column, "frame" or "voices".
      length: of an excerpt; shorter pieces are whole.
      moved: the most semitones, either way, by which an excerpt is moved; at most `ROOM`.
    """

    def prepare(key, batch):
        pieces, size = batch[name], len(batch["length"])
        where, by = jax.random.split(key)
        room = jnp.maximum(batch["length"] - length, 0)
        start = jnp.floor(jax.random.uniform(where, (size,)) * (room + 1)).astype(jnp.int32)
        count = min(length + 1, pieces.shape[1])
        x = jax.vmap(lambda piece, at: lax.dynamic_slice_in_dim(piece, at, count))(pieces, start)
        step = jax.random.randint(by, (size,), -moved, moved + 1)
        if name == "frame":
            x = jax.vmap(lambda piece, by: jnp.roll(piece, by, 1))(x, step)
        else:
            x = jnp.where(x > 0, x + step[:, None, None], 0)
        real = jnp.arange(1, count)[None] <= batch["length"][:, None]
        return x, real.astype(jnp.float32)

    return prepare


def surprise(log_prob: Array, mask: Array) -> Metrics:
    """The "loss", in nats a frame, of log-probabilities `[B, T]` where the mask is 1."""
    return {"loss": Mean.of(-log_prob, mask)}


def judged_pieces(models: Mapping[Kind, FrameModel], pieces: data.Split) -> Probe:
    """Probe of how well models foresee whole pieces.

    Args:
      models: by kind, as in the state `{kind: Learner}`; the parameters are the averaged ones.
      pieces: as `data.music.Songs` has them.
    Returns:
      "kind_nats" a frame, all frames alike; "loss" is the first's.
    """

    def measure(key: Key, state: Mapping[Kind, Learner], batch) -> dict[str, Mean]:
        found = {}
        for kind, model in models.items():
            nats = -model.apply(state[kind].averaged, batch[column_of(kind)])
            real = jnp.arange(1, nats.shape[1] + 1)[None] <= batch["length"][:, None]
            found[f"{kind}_nats"] = Mean.of(nats, real * batch["mask"][:, None])
        return {**found, "loss": found[f"{next(iter(models))}_nats"]}

    return full_pass(measure, data.padded(pieces, AT_ONCE), len(pieces))


def composer(model: FrameModel, kind: Kind, *, num: int, length: int) -> Probe:
    """Probe of new pieces: "frame" `[num, length, ...]`, each drawn given those before it.

    Args:
      model: of the frames, with averaged parameters.
      kind: its name in the state `{kind: Learner}`.
      num: of the pieces.
      length: of each, in frames.
    """

    def compose(key: Key, state: Mapping[Kind, Learner]) -> dict[str, Array]:
        variables = state[kind].averaged

        def follow(carried, key):
            frame, memory = model.apply(variables, key, *carried, method="follow")
            return (frame, memory), frame

        width, dtype = (4, jnp.int32) if kind == "voices" else (len(model.output.log_odds), jnp.float32)
        silence = jnp.zeros((num, width), dtype)
        memory = jax.eval_shape(lambda: model.apply(variables, silence[:, None], method="remember")[1])
        memory = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), memory)
        _, frames = lax.scan(follow, (silence, memory), jax.random.split(key, length))
        return {"frame": frames.swapaxes(0, 1)}

    return compose
