"""The vector-quantised autoencoder: a grid of codes out of a book, and a model of which codes stand side by side.

    k_t = argmin_k |e(x)_t - c_k|,   z_t = c_{k_t},   log p(x) >= log p(x|z) + log p(k)

The gradient passes the choice unchanged, from the decoder to the encoder (straight through). The commitment holds what
is encoded near the code that it is given; the codes follow what is given to them, as moving averages, or by a gradient
of their own. The prior p(k) = prod_t p(k_t | k_1 ... k_{t-1}) is any model of tokens; it learns beside the autoencoder,
from the codes of the same batch, and moves nothing of it.

Source: van den Oord et al. 2017, arXiv:1711.00937, eq. 1 to 3, and appendix A.1 for averages.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.autoencoder.vae import Likelihood
from adl.core import Algorithm, Key, Learner, Mean, border, descend, forward
from adl.core.types import PyTree
from adl.prob import neighbours
from adl.prob.distributions import categorical_log_prob

COLLECTION = "codebook"  # of averages, which are no parameters
RARE = 1e-6  # share of the places below which a code that nothing chooses stays where it is


class Chosen(NamedTuple):
    """What a codebook makes of vectors `[B, ..., D]`."""

    index: Array  # [B, ...] int32, of the nearest codes
    vector: Array  # [B, ..., D] these, with the gradient of what they stand for
    commitment: Array  # [B] squared distances summed over places: a pull of vectors to codes
    pull: Array  # [B] the same as a pull of codes to vectors; 0 where averages do that


class Codebook(nn.Module):
    """K codes, each the moving average of the vectors that it is the nearest to.

    They begin as vectors of the first batch, drawn at random; each but once, where there are enough.
    """

    num_codes: int  # K >= 1
    decay: float = 0.99  # in [0, 1), of the averages
    axis: str | None = None  # name of the mapped axis over which the batch is split, or None

    @nn.compact
    def __call__(self, x: Array) -> Chosen:
        """The codes of `x` `[B, ..., D]`; the averages move where their collection may."""
        rows, num = lax.stop_gradient(x.reshape(-1, x.shape[-1])), self.num_codes

        def first():
            pick = jax.random.choice(self.make_rng("params"), len(rows), (num,), replace=len(rows) < num)
            return rows[pick] / num

        share = self.variable(COLLECTION, "share", lambda: jnp.full(num, 1 / num, jnp.float32))
        total = self.variable(COLLECTION, "total", first)
        codes = total.value / share.value[:, None]
        index = nearest_codes(rows, codes)
        if self.is_mutable_collection(COLLECTION) and not self.is_initializing():
            share.value, total.value = self._moved(share.value, total.value, rows, index)
        return passed_through(x, codes, index)._replace(pull=jnp.zeros(len(x)))

    def look_up(self, index: Array) -> Array:
        """Codes `[..., D]` of their numbers `[...]`."""
        share, total = (self.get_variable(COLLECTION, name) for name in ("share", "total"))
        return (total / share[:, None])[index]

    def _moved(self, share: Array, total: Array, rows: Array, index: Array) -> tuple[Array, Array]:
        member = jax.nn.one_hot(index, self.num_codes)
        seen = member.mean(0), member.T @ rows / len(rows)
        if self.axis is not None:
            seen = lax.pmean(seen, self.axis)
        new, moved = (self.decay * old + (1 - self.decay) * now for old, now in zip((share, total), seen, strict=True))
        is_known = new > RARE
        return jnp.where(is_known, new, share), jnp.where(is_known[:, None], moved, total)


class LearnedCodebook(nn.Module):
    """K codes that are parameters, and move by the gradient of their distance to what chooses them."""

    num_codes: int  # K >= 1

    @nn.compact
    def __call__(self, x: Array) -> Chosen:
        """The codes of `x` `[B, ..., D]`."""
        codes = self.param(
            "codes", nn.initializers.variance_scaling(1.0, "fan_in", "uniform"), (self.num_codes, x.shape[-1])
        )
        return passed_through(x, codes, nearest_codes(lax.stop_gradient(x.reshape(-1, x.shape[-1])), codes))

    def look_up(self, index: Array) -> Array:
        """Codes `[..., D]` of their numbers `[...]`."""
        return self.get_variable("params", "codes")[index]


def nearest_codes(rows: Array, codes: Array) -> Array:
    """`[N]` the number of the code `[K, D]` nearest to each of the rows `[N, D]`, the first of equals."""
    return neighbours.squared_distances(rows, codes).argmin(1).astype(jnp.int32)


def passed_through(x: Array, codes: Array, index: Array) -> Chosen:
    """What vectors `[B, ..., D]` become by the choice `[N]` of codes `[K, D]`, N vectors in all."""
    vector = codes[index].reshape(x.shape)

    def apart(x, vector):
        return jnp.square(x - vector).reshape(len(x), -1).sum(1)

    fixed = lax.stop_gradient(vector)
    return Chosen(
        index.reshape(x.shape[:-1]),
        x + lax.stop_gradient(vector - x),
        apart(x, fixed),
        apart(lax.stop_gradient(x), vector),
    )


class VQVAE(nn.Module):
    """An encoder to a grid of vectors, a codebook, and a decoder of the grid."""

    encoder: nn.Module  # x [B, ...] -> [B, ..., D]
    codebook: nn.Module  # `Codebook` or `LearnedCodebook`
    decoder: nn.Module  # [B, ..., D] -> parameters [B, P] of p(x|z)

    def quantise(self, x: Array) -> Chosen:
        """Codes of `x [B, ...]`."""
        return self.codebook(self.encoder(x).astype(jnp.float32))

    def decode(self, vector: Array) -> Array:
        """Parameters `[B, P]` of p(x|z) of vectors `[B, ..., D]`."""
        return self.decoder(vector).astype(jnp.float32)

    def decode_codes(self, index: Array) -> Array:
        """Parameters `[B, P]` of p(x|z) of codes `[B, ...]`, in the shape of the encoder's grid."""
        return self.decode(self.codebook.look_up(index))

    def __call__(self, x: Array) -> tuple[Chosen, Array]:
        """Codes, and parameters of p(x|z)."""
        found = self.quantise(x)
        return found, self.decode(found.vector)


class Both(NamedTuple):
    """The state: two networks."""

    autoencoder: Learner
    prior: Learner


def codes_log_prob(logits: Array, index: Array) -> Array:
    """`[B]` log p(k) in nats of codes `[B, T]`, by logits `[B, T, K]` of each given those before it."""
    return categorical_log_prob(index, logits).sum(-1)


def preceding(index: Array, start: int) -> Array:
    """`[B, T]` what is known before each of the codes `[B, T]`: the one before, and `start` before the first."""
    return jnp.concatenate([jnp.full_like(index[:, :1], start), index[:, :-1]], 1)


def vq_vae(
    model: VQVAE,
    tx: optax.GradientTransformation,
    *,
    prior: nn.Module,
    num_codes: int,
    likelihood: Likelihood,
    commitment: float = 0.25,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The quantised autoencoder and its prior; state is `Both`.

    Reports the `loss` of the autoencoder, its parts `reconstruction`, log p(x|z), and `commitment`, before its weight;
    `code_nll`, -log p(k); and `elbo`, `reconstruction - code_nll`, in nats an example.

    Args:
      model: encoder, codebook, decoder.
      tx: optax transformation, of each of the two networks.
      prior: tokens `[B, T]` in 0 ... K, of which K stands before the first code, to logits `[B, T, K]`, or more of
        which the first K count: `nn.GPT` of K + 1 tokens.
      num_codes: K of the codebook.
      likelihood: log p(x|z) from the decoder's output.
      commitment: >= 0, nats a squared unit of the vectors.
      prepare: `prepare(key, batch) -> x [B, ...]`.
      axis: name of the mapped axis, or None; `Codebook` must know it too.
    """
    prepare = border.prepared(prepare)

    def loss(key, params, extras, x):
        (found, output), extras = forward(model, key, params, extras, x)
        given = likelihood(x, output)
        total = -given + commitment * found.commitment + found.pull
        parts = {"loss": total, "reconstruction": given, "commitment": found.commitment}
        return {name: Mean.of(part) for name, part in parts.items()}, extras, found.index.reshape(len(x), -1)

    def surprise(key, params, extras, index):
        logits, extras = forward(prior, key, params, extras, preceding(index, num_codes))
        return {"loss": Mean.of(-codes_log_prob(logits[..., :num_codes], index))}, extras

    def init(key, batch):
        prepare_key, model_key, prior_key = jax.random.split(key, 3)
        x = prepare(prepare_key, batch)
        (found, _), variables = model.init_with_output(model_key, x)
        tokens = preceding(found.index.reshape(len(x), -1), num_codes)
        return Both(Learner.create(variables, tx), Learner.create(prior.init(prior_key, tokens), tx))

    code, expect = descend(loss, tx, axis), descend(surprise, tx, axis)

    def step(key, state, batch):
        prepare_key, code_key, prior_key = jax.random.split(key, 3)
        x = prepare(prepare_key, batch)
        coder, metrics, index = code(code_key, state.autoencoder, x)
        expecting, missed = expect(prior_key, state.prior, index)
        nll = missed["loss"]
        elbo = Mean(metrics["reconstruction"].total - nll.total, nll.count)
        return Both(coder, expecting), {**metrics, "code_nll": nll, "elbo": elbo}

    return Algorithm(init, step)


def draw_codes(key: Key, prior: nn.Module, variables: PyTree, *, num: int, length: int, num_codes: int) -> Array:
    """`[num, length]` codes drawn from the prior, one place after the other, in one scan over its cache.

    Args:
      key: consumed.
      prior: as in `vq_vae`, with `empty_cache`.
      variables: of the prior.
      num: rows.
      length: T, places of a row.
      num_codes: K.
    """

    def place(carry, key):
        token, cache = carry
        logits, cache = prior.apply(variables, token[:, None], cache=cache)
        token = jax.random.categorical(key, logits[:, -1, :num_codes]).astype(jnp.int32)
        return (token, cache), token

    start = jnp.full(num, num_codes, jnp.int32), prior.empty_cache(num, length)
    return lax.scan(place, start, jax.random.split(key, length))[1].T


def perplexity(index: Array, num_codes: int) -> Array:
    """`[]` in [1, K]: how many codes are in use, exp of the entropy of their shares among `index` `[...]`, in nats.

    1 where all places have one code, K where each code has as many.
    """
    share = jnp.bincount(index.reshape(-1), length=num_codes) / index.size
    return jnp.exp(-jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1)), 0).sum())


def independent_nll(known: Array, asked: Array, num_codes: int) -> Array:
    """`[]` mean -log p(k) in nats of codes if each place stood alone: what a prior of no place before it has.

    Args:
      known: `[N, T]`, from which each place's shares are counted, one more of each code.
      asked: `[M, T]`.
      num_codes: K.
    """
    counts = jax.vmap(lambda column: jnp.bincount(column, length=num_codes), 1)(known)
    log_prob = jnp.log((counts + 1) / (len(known) + num_codes))
    return -log_prob[jnp.arange(known.shape[1])[None], asked].sum(1).mean()
