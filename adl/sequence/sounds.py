"""Classes of sounds: networks of waves and of spectra, beside an affine map that knows no order in time.

What they see is `[B, T, 2]`: samples in [-1, 1], and 1 where there are any. How it is disturbed in training is up to
`heard`; bands and frames are hidden within the networks of spectra, where a `dropout` key is given.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl import data
from adl.core import Key, Learner, Mean, Probe, full_pass
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.recurrent import Recurrents, gru
from adl.nn.sequence_classifier import SequenceClassifier, over_time
from adl.prob.labels import cross_entropy, is_correct
from adl.sequence.spectrogram import log_mel

Kind = Literal["rnn", "cnn", "linear"]
NAMES: dict[Kind, str] = {
    "rnn": "GRU of log-mel frames",
    "cnn": "CNN of the wave",
    "linear": "regression on means of the bands",
}
AT_ONCE = 100  # sounds


class Spectra(nn.Module):
    """`[B, T, 2] -> [B, K]`: a network of log-mel frames, of which in training some bands and times are hidden."""

    network: nn.Module  # `(frames [B, F, M], mask=[B, F]) -> [B, K]`
    rate: int  # samples a second
    window: float = 0.032  # seconds of a frame
    hop: float = 0.016  # seconds from one frame to the next
    num_bands: int = 40  # M
    hidden: float = 0.0  # in [0, 1): the most that one mask hides of the bands, and another of the frames

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """As the class says."""
        frames = {"size": int(self.window * self.rate), "hop": int(self.hop * self.rate), "num": self.num_bands}
        h, real = log_mel(x[..., 0], x[..., 1].sum(1), rate=self.rate, **frames)
        if self.hidden and self.has_rng("dropout"):
            h = spec_augment(self.make_rng("dropout"), h, share=self.hidden)
        return self.network(h, mask=real)


class BandMoments(nn.Module):
    """`[B, K]`: an affine map of the means and deviations of bands `[B, F, M]` over time."""

    num_outputs: int  # K

    @nn.compact
    def __call__(self, h: Array, *, mask: Array) -> Array:
        """As the class says; `mask` `[B, F]`."""
        mean = over_time(h, mask, "mean")
        deviation = jnp.sqrt(over_time(jnp.square(h - mean[:, None]), mask, "mean") + 1e-6)
        return nn.Dense(self.num_outputs)(jnp.concatenate([mean, deviation], -1))


class WaveCNN(nn.Module):
    """`[B, T, 2] -> [B, K]`: convolutions of the wave itself, a wide one with a stride first, then pooled by fours.

    What stands beyond a sound's end is 0 in every layer, and counts for nothing.

    Source: Dai et al. 2017, arXiv:1610.00087, M5, with normalisation over the channels of each time.
    """

    num_outputs: int  # K
    features: Sequence[int] = (32, 64, 96, 128)  # channels of each stage
    rate: int = 8000  # samples a second: the first layer sees 10 ms, each millisecond
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """As the class says."""
        h, real, drop = x[..., :1], x[..., 1], Dropout(self.dropout)
        h = h / (jnp.sqrt(jnp.square(h).sum((1, 2), keepdims=True) / (real.sum(1)[:, None, None] + 1)) + 1e-3)
        for stage, width in enumerate(self.features):
            size, stride = (3, 1) if stage else (self.rate // 100, self.rate // 1000)
            h = Conv(width, (size,), stride, dtype=self.dtype)(h)
            h = nn.relu(nn.LayerNorm(dtype=self.dtype)(h))
            real = real[:, ::stride][:, : h.shape[1]]
            h, real = (_pooled(part * real[..., None], 4) for part in (h, real[..., None]))
            real = real[..., 0]
        return nn.Dense(self.num_outputs)(drop(over_time(h.astype(jnp.float32), real > 0, "mean")))


def _pooled(h: Array, width: int) -> Array:
    """`[B, ceil(T / width), C]` the largest of so many neighbours."""
    size, time, _ = h.shape
    return jnp.pad(h, ((0, 0), (0, -time % width), (0, 0))).reshape(size, -1, width, h.shape[-1]).max(2)


def hearing(
    kind: Kind, num_classes: int, *, rate: int, width: int, dropout: float, hidden: float, dtype: jnp.dtype, **frames
) -> nn.Module:
    """`[B, T, 2] -> [B, K]` logits of sounds.

    Args:
      kind: of `NAMES`.
      num_classes: K.
      rate: samples a second.
      width: of the recurrent layers.
      dropout: in [0, 1).
      hidden: as in `Spectra`.
      dtype: of the computation.
      **frames: `window`, `hop`, `num_bands` of `Spectra`.
    """
    if kind == "cnn":
        return WaveCNN(num_classes, rate=rate, dropout=dropout, dtype=dtype)
    if kind == "linear":
        return Spectra(BandMoments(num_classes), rate, **frames)
    layers = Recurrents(gru, (width, width), "both", dropout, dtype)
    return Spectra(
        SequenceClassifier(layers, num_classes, width, dropout=dropout, dtype=dtype), rate, hidden=hidden, **frames
    )


def spec_augment(key: Key, h: Array, *, share: float) -> Array:
    """Frames `[B, F, M]` of which one run of bands and one of times are 0, each up to a share of all.

    Args:
      key: consumed.
      h: log energies with mean 0.
      share: in [0, 1), of the widest run; widths are uniform.
    Source: Park et al. 2019, arXiv:1904.08779, section 2, without the warping.
    """

    def run(key: Key, size: int) -> Array:
        wide, where = jax.random.uniform(key, (2, len(h), 1))
        wide = wide * share * size
        start = where * (size - wide)
        at = jnp.arange(size)[None]
        return (at >= start) & (at < start + wide)

    bands, times = jax.random.split(key)
    return jnp.where(run(bands, h.shape[2])[:, None] | run(times, h.shape[1])[..., None], 0, h)


def sounding(audio: Array, length: Array) -> Array:
    """`[B, T, 2]` float32: samples in [-1, 1] of int16 `[B, T]`, and 1 where they are, before `length` `[B]`."""
    real = (jnp.arange(audio.shape[1])[None] < length[:, None]).astype(jnp.float32)
    return jnp.stack([audio.astype(jnp.float32) / 2**15 * real, real], -1)


def heard(*, noise: float, shift: float) -> Callable[[Key, Mapping[str, Array]], tuple[Array, Array]]:
    """`prepare` of "audio", "length" and "label": each sound begins a little later, in noise of its own.

    Args:
      noise: >= 0, the largest deviation, as a share of the sound's own; it is uniform from 0.
      shift: in [0, 1), the largest delay as a share of T; what is pushed beyond the end is lost.
    """

    def prepare(key, batch):
        x = sounding(batch["audio"], batch["length"])
        late, loud, wave = jax.random.split(key, 3)
        size, time, _ = x.shape
        delay = jax.random.randint(late, (size,), 0, int(shift * time) + 1)
        padded = jnp.pad(x, ((0, 0), (int(shift * time), 0), (0, 0)))
        x = jax.vmap(lambda row, start: jax.lax.dynamic_slice_in_dim(row, start, time))(
            padded, int(shift * time) - delay
        )
        power = jnp.sqrt(jnp.square(x[..., 0]).sum(1) / (x[..., 1].sum(1) + 1))
        std = noise * jax.random.uniform(loud, (size,)) * power
        real = (jnp.arange(time)[None] < (delay + batch["length"])[:, None]).astype(x.dtype)
        return jnp.stack([(x[..., 0] + std[:, None] * jax.random.normal(wave, (size, time))) * real, real], -1), batch[
            "label"
        ]

    return prepare


def judged_sounds(models: Mapping[str, nn.Module], split: data.Split) -> Probe:
    """Probe of what models say of a whole split of sounds.

    Args:
      models: by name, as in the state `{name: Learner}`; the parameters are the averaged ones.
      split: "audio", "length", "label".
    Returns:
      Of each model "name_accuracy", "name_loss" in nats and "name_probability" `[N, K]`; "loss" is the first's.
    """

    def measure(key: Key, state: Mapping[str, Learner], batch) -> dict[str, Mean | Array]:
        x, found = sounding(batch["audio"], batch["length"]), {}
        for name, model in models.items():
            logits = model.apply(state[name].averaged, x)
            found[f"{name}_accuracy"] = Mean.of(is_correct(logits, batch["label"]), batch["mask"])
            found[f"{name}_loss"] = Mean.of(cross_entropy(logits, batch["label"]), batch["mask"])
            found[f"{name}_probability"] = jax.nn.softmax(logits)
        return {**found, "loss": found[f"{next(iter(models))}_loss"]}

    return full_pass(measure, data.padded(split, AT_ONCE), len(split))
