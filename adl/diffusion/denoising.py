"""Denoising: learning to tell data from what noise has made of them, at all levels of noise.

Four choices, each made by itself: how noise is added (`process`), what the network is asked for (`target`), at which
levels and how much each counts (`levels`), and what comes of a batch (`prepare`).

    DDPM           discrete()         noise                      uniform(1000)           Ho et al., arXiv:2006.11239
    with a cosine  discrete_cosine()  noise                      uniform(1000)           Nichol & Dhariwal, 2102.09672
    VP             preserving()       noise                      uniform()               Song et al., arXiv:2011.13456
    VE             exploding          preconditioned(            log_uniform(0.01, 50)   Song et al., arXiv:2011.13456
                                        variance_exploding)
    v-prediction   cosine             angular                    uniform()               Salimans & Ho, 2202.00512
    flow matching  straight           velocity                   uniform(), logistic()   Liu et al., arXiv:2209.03003
    EDM            exploding          preconditioned(karras(s))  log_normal(-1.2, 1.2)   Karras et al., 2206.00364

Samplers take any of these by `denoiser`: DDIM is `solver.euler` and DDPM `solver.ddim(1.0)`, of whichever process.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Key, Learner, Mean, PyTree, border, descend, forward
from adl.diffusion.process import Process
from adl.diffusion.solver import Denoiser
from adl.diffusion.target import Aim

Prepare = Callable[[Key, PyTree], tuple[Array, PyTree]]  # (key, batch) -> (data [B, ...], what the model is told of it)


class Level(NamedTuple):
    """Times of the examples, and what each counts."""

    time: Array  # [B]
    weight: Array | float = 1.0  # [B] >= 0


Levels = Callable[[Key, int], Level]  # (key, B) -> a time for each example; the key is consumed
Errors = Callable[..., Array]  # of the arguments of `denoising_errors`, which is one; [B]


def denoising(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    process: Process,
    target: Aim,
    levels: Levels,
    errors: Errors | None = None,
    prepare: Prepare = lambda key, batch: (batch, None),
    axis: str | None = None,
) -> Algorithm:
    """Denoising diffusion; the state is a `Learner`.

    loss = E_{t, x, n} w_t mean_pixels (F(alpha_t x + sigma_t n; t, condition) - target(x, n, t))^2

    Args:
      model: F, `(x [B, ...], time [B], condition) -> [B, ...]` (`Conditioned`, of a U-Net).
      tx: optax transformation; end its chain with `core.average_params` to sample from averaged parameters.
      process: alpha and sigma at a time.
      target: what F is asked for.
      levels: draws the times, and says what each counts.
      errors: what is descended: `sliced.sliced_errors(...)`; None: `denoising_errors`, as above.
      prepare: `prepare(key, batch) -> (x [B, ...], condition)`: what is diffused, pixels in [-1, 1] or a code, and what
        the model is told of it, its class or text, or None.
      axis: as in `core.descend`.
    Source: Ho et al. 2020, arXiv:2006.11239, eq. 14; of the other choices as in the table above.
    """
    prepare = border.prepared(prepare)

    def init(key: Key, batch) -> Learner:
        x, condition = prepare(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, x, jnp.zeros(len(x)), condition), tx)

    def loss(key: Key, params, extras, batch):
        level_key, prepare_key, noise_key, dropout_key = jax.random.split(key, 4)
        x, condition = prepare(prepare_key, batch)
        level = levels(level_key, len(x))

        def judged(network):
            network = functools.partial(_told, network, condition)
            return (errors or denoising_errors)(noise_key, network, x, level.time, process=process, target=target)

        losses, extras = forward(model, dropout_key, params, extras, method=judged)
        return {"loss": Mean.of(losses, level.weight)}, extras

    return Algorithm(init, descend(loss, tx, axis))


def denoising_errors(
    key: Key, network: Callable[[Array, Array], Array], x: Array, time: Array, *, process: Process, target: Aim
) -> Array:
    """`[B]` squared errors of a network on freshly noised data, averaged over pixels.

    Args:
      key: consumed, by the noise.
      network: F, `(x [B, ...], time [B]) -> [B, ...]`, told its condition.
      x: `[B, ...]` clean data.
      time: `[B]`.
      process: as in `denoising`.
      target: as in `denoising`.
    """
    noise, signal = jax.random.normal(key, x.shape), process.signal(time).like(x)
    output = network(*target.seen(signal.alpha * x + signal.sigma * noise, time, signal))
    return jnp.square(target.error(output, x, noise, signal)).mean(tuple(range(1, x.ndim)))


def denoiser(model: nn.Module, variables: PyTree, condition: PyTree, *, process: Process, target: Aim) -> Denoiser:
    """The trained network as a denoiser `(x [B, ...], sigma [] or [B]) -> [B, ...]` of data plus sigma noise.

    Args:
      model: the network F.
      variables: its flax collections.
      condition: what it is told of each example.
      process: as in training.
      target: as in training.
    """

    def denoise(x, sigma):
        time = process.time(jnp.broadcast_to(sigma, (len(x),)))
        signal = process.signal(time).like(x)
        noisy = signal.alpha * x
        output = _told(functools.partial(model.apply, variables), condition, *target.seen(noisy, time, signal))
        return target.clean(output, noisy, signal)

    return denoise


def uniform(num_steps: int | None = None) -> Levels:
    """Times evenly in (0, 1), or of the steps 1/T, 2/T, ..., 1.

    Args:
      num_steps: T >= 1, or None.
    """

    def levels(key, size):
        if num_steps is None:
            return Level(jax.random.uniform(key, (size,)))
        return Level(jax.random.randint(key, (size,), 1, num_steps + 1) / num_steps)

    return levels


def log_uniform(low: float, high: float) -> Levels:
    """Times whose logarithm is even between those of `low` and `high`, 0 < low < high.

    Source: Song et al. 2021, arXiv:2011.13456, appendix C: of the process `exploding`, uniform times of theirs.
    """
    if not 0 < low < high:
        raise BadInput(f"times from {low:g} to {high:g}; it must be 0 < low < high")
    return lambda key, size: Level(
        jnp.exp(jax.random.uniform(key, (size,), minval=math.log(low), maxval=math.log(high)))
    )


def log_normal(mean: float, std: float) -> Levels:
    """Times whose logarithm is N(mean, std^2). Source: Karras et al. 2022, arXiv:2206.00364, table 1."""
    return lambda key, size: Level(jnp.exp(mean + std * jax.random.normal(key, (size,))))


def logistic(mean: float = 0.0, std: float = 1.0) -> Levels:
    """Times in (0, 1) whose log-odds are N(mean, std^2). Source: Esser et al. 2024, arXiv:2403.03206, eq. 19."""
    return lambda key, size: Level(jax.nn.sigmoid(mean + std * jax.random.normal(key, (size,))))


def labelled(
    encode: Callable[[Array], Array] = lambda image: image, *, num_classes: int, label_dropout: float = 0.1
) -> Prepare:
    """Pictures with their classes, `{"image": [B, ...], "label": [B]}`, some of which are hidden.

    Args:
      encode: from the batch's pictures to what is diffused, `[B, ...]` float.
      num_classes: K; label K is none.
      label_dropout: in [0, 1], share of examples whose class is hidden, so that guidance has an unconditional model.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, ...]", label="int [B]")
        label = drop_labels(key, batch["label"], rate=label_dropout, num_classes=num_classes)
        return encode(batch["image"]), label

    return prepare


def untold(encode: Callable[[Array], Array] = lambda image: image) -> Prepare:
    """Pictures of no class, `{"image": [B, ...]}`, of a network that knows no class but "none", 0.

    Args:
      encode: as in `labelled`.
    """

    def prepare(key, batch):
        del key
        border.check(batch, image="[B, ...]")
        return encode(batch["image"]), jnp.zeros(len(batch["image"]), int)

    return prepare


def drop_labels(key: Key, label: Array, *, rate: float, num_classes: int) -> Array:
    """`[B]` labels, each replaced by `num_classes` ("none") with probability `rate`."""
    return jnp.where(jax.random.bernoulli(key, rate, label.shape), num_classes, label)


def captioned(
    encode: Callable[[Array], Array] = lambda image: image, *, padding: int, caption_dropout: float = 0.1
) -> Prepare:
    """Pictures with their captions, `{"image": [B, ...], "token": [B, T] int}`, some of which are hidden.

    Args:
      encode: as in `labelled`.
      padding: the token of places behind a caption.
      caption_dropout: in [0, 1], share of examples whose caption is hidden: of which the first token alone is left.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, ...]", token="int [B, T]")
        is_hidden = jax.random.bernoulli(key, caption_dropout, (len(batch["token"]), 1))
        token = jnp.where(is_hidden, unsaid(batch["token"], padding=padding), batch["token"])
        return encode(batch["image"]), token

    return prepare


def unsaid(token: Array, *, padding: int) -> Array:
    """`[B, T]` captions of which the first token alone is left, which stands before every caption."""
    return jnp.where(jnp.arange(token.shape[1]) == 0, token, padding)


class Conditioned(nn.Module):
    """A network of pictures under a vector that says the time and the condition, their parameters side by side."""

    network: nn.Module  # (x [B, ...], vector [B, D]) -> [B, ...]
    conditioner: nn.Module  # (time [B], condition) -> [B, D], or what else the network is told in

    def setup(self):
        """Both in one room."""
        nn.share_scope(self, self.network)
        nn.share_scope(self, self.conditioner)

    def __call__(self, x: Array, time: Array, condition: PyTree) -> Array:
        """`[B, ...]` from `x` `[B, ...]`."""
        return self.network(x, self.conditioner(time, condition))


def _told(network: Callable, condition: PyTree, x: Array, time: Array) -> Array:
    return network(x, time.reshape(len(x)), condition)
