"""Markov random fields of pixels: a binary image behind a noisy one, by three ways of asking each pixel's neighbours.

    E(x, y) = -beta sum_{neighbours i, j} x_i x_j - eta sum_i x_i y_i - bias sum_i x_i,   x_i, y_i in {-1, 1}
    p(x | y) ~ exp(-E),   log-odds of x_i = 1 given all others: 2 f_i,
    f_i = beta sum_{j next to i} x_j + eta y_i + bias

Pixels of one colour of a chessboard are no neighbours: they move at once, then those of the other colour. A sweep is
both. If noise flips a pixel with probability p, eta = log((1 - p) / p) / 2.
Sources: Besag 1986, JRSS B 48(3), for iterated conditional modes; Geman & Geman 1984, IEEE PAMI 6(6), for Gibbs
sampling; Bishop 2006, Pattern Recognition and Machine Learning, section 8.3.3.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import Algorithm, Mean, border
from adl.core.types import Array, Key
from adl.graphical.factor_graph import Potentials, grid


class Ising(NamedTuple):
    """How pixels hang together."""

    beta: Array  # [] of neighbours, in nats; > 0: they are alike
    eta: Array  # [] of a pixel and what is seen of it, in nats
    bias: Array = 0.0  # [] of each pixel towards 1, in nats


class Draws(NamedTuple):
    """Images that are sampled, and what they were so far."""

    image: Array  # [B, H, W] in {-1, 1}
    total: Array  # [B, H, W] sum over the sweeps that count
    count: Array  # [] sweeps, all of them


def energy(model: Ising, x: Array, y: Array) -> Array:
    """E(x, y) `[]` in nats of images `x [H, W]` and `y [H, W]`; for x in [-1, 1] the mean of independent pixels."""
    pairs = (x[1:] * x[:-1]).sum() + (x[:, 1:] * x[:, :-1]).sum()
    return -model.beta * pairs - (x * (model.eta * y + model.bias)).sum()


def field(model: Ising, x: Array, y: Array) -> Array:
    """f `[H, W]`, half the log-odds of each pixel given its neighbours in `x [H, W]`, and `y [H, W]`."""
    padded = jnp.pad(x, 1)
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return model.beta * around + model.eta * y + model.bias


@border.columns(image="float [B, H, W]")
def icm(model: Ising) -> Algorithm:
    """Iterated conditional modes: each pixel takes the value that its neighbours make more probable.

    No sweep raises the energy; it stops at a local minimum. The state is images `[B, H, W]` in {-1, 1}, at first those
    that were seen. A batch is `{"image": [B, H, W]}` in {-1, 1}, the same at every step; the state splits with it.
    Reports the `loss`: E before the sweep, in nats a pixel.

    Source: Besag 1986, JRSS B 48(3).
    """

    def rule(key, f, x):
        return jnp.where(f == 0, x, jnp.sign(f))

    def step(key, x, batch):
        return _swept(rule, model, key, x, batch["image"]), {"loss": _mean(energy, model, x, batch["image"])}

    return Algorithm(lambda key, batch: jnp.array(batch["image"], jnp.float32), step, axes=0)


@border.columns(image="float [B, H, W]")
def mean_field(model: Ising) -> Algorithm:
    """Mean field: the nearest distribution of independent pixels, of means m_i = tanh(f_i(m)).

    No sweep raises the free energy E_q[E] - H(q) >= -log sum_x exp(-E). State and batch as of `icm`, with means in
    [-1, 1]. Reports the `loss`: the free energy before the sweep, in nats a pixel.

    Source: MacKay 2003, Information Theory, Inference, and Learning Algorithms, section 33.2.
    """

    def free_energy(model, m, y):
        return energy(model, m, y) - _entropy(m).sum()

    def step(key, m, batch):
        new = _swept(lambda key, f, m: jnp.tanh(f), model, key, m, batch["image"])
        return new, {"loss": _mean(free_energy, model, m, batch["image"])}

    return Algorithm(lambda key, batch: jnp.array(batch["image"], jnp.float32), step, axes=0)


@border.columns(image="float [B, H, W]")
def gibbs(model: Ising, *, num_warmup: int = 0) -> Algorithm:
    """Gibbs sampling: each pixel is drawn given its neighbours; the state is `Draws`, the batch as of `icm`.

    Reports the `loss`: E before the sweep, in nats a pixel, which fluctuates about its mean.

    Args:
      model: of the pixels.
      num_warmup: >= 0 sweeps that do not count.
    Source: Geman & Geman 1984, IEEE PAMI 6(6).
    """

    def rule(key, f, x):
        return jnp.where(jax.random.uniform(key, f.shape) < jax.nn.sigmoid(2 * f), 1.0, -1.0)

    def init(key, batch):
        image = jnp.array(batch["image"], jnp.float32)
        return Draws(image, jnp.zeros_like(image), jnp.zeros((), jnp.int32))

    def step(key, draws, batch):
        image = _swept(rule, model, key, draws.image, batch["image"])
        total = draws.total + jnp.where(draws.count >= num_warmup, image, 0)
        return Draws(image, total, draws.count + 1), {"loss": _mean(energy, model, draws.image, batch["image"])}

    return Algorithm(init, step, Draws(0, 0, None))


def potentials(model: Ising, y: Array) -> Potentials:
    """Of `factor_graph.grid(H, W)` for the image `y [H, W]`; the states 0 and 1 are the pixels -1 and 1."""
    sign = jnp.array([-1.0, 1.0])
    own = (model.eta * y + model.bias).reshape(-1, 1) * sign[None]
    pair = model.beta * sign[:, None] * sign[None]
    _, pairs = grid(*y.shape).scopes
    return own, jnp.broadcast_to(pair[None], (len(pairs), 2, 2))


def _swept(rule: Callable, model: Ising, key: Key, x: Array, y: Array) -> Array:
    """One sweep over images `[B, H, W]`: `rule(key, f, x)` on the squares of one colour, then on the others."""
    colour = np.indices(x.shape[1:]).sum(0) % 2
    fields = jax.vmap(field, (None, 0, 0))
    for turn, own in enumerate(jax.random.split(key)):
        x = jnp.where((colour == turn)[None], rule(own, fields(model, x, y), x), x)
    return x


def _mean(of: Callable, model: Ising, x: Array, y: Array) -> Mean:
    return Mean(jax.vmap(of, (None, 0, 0))(model, x, y).sum(), jnp.float32(x.size))


def _entropy(m: Array) -> Array:
    """Of a pixel in {-1, 1} of mean m, in nats; finite at -1 and 1."""
    p = jnp.stack([(1 + m) / 2, (1 - m) / 2])
    return -jax.scipy.special.xlogy(p, p).sum(0)
