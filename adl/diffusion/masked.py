"""Masked diffusion: tokens are hidden one by one, and a network says what stands in each hidden place.

Between the times 0 and 1 each token of x is hidden at a time of its own, even in [0, 1], and stays so. The network p
sees what is left of the text, x_t, and guesses all that is hidden; what is seen it copies. Then

    -log p(x) <= E_t 1/t sum_{i hidden at t} -log p_i(x_i | x_t)  =  E_k T/k sum_{i in S} -log p_i(x_i | x without S)

where k is even in 1 ... T and S any k of the T places: the integral over times has a closed form given how many are
hidden, so that counts are drawn here and no times: the same bound of less variance. Other rates of hiding than the
even one are the same bound, too. Backwards, hidden places are filled in random order, a few at a time.

A hidden place holds the token V, one more than there are.

Sources: Austin et al. 2021, arXiv:2107.03006, section 3.1 (absorbing state); Sahoo et al. 2024, arXiv:2406.07524,
section 3; by counts, Ou et al. 2024, arXiv:2406.03736, section 3.3; as models of any order, Hoogeboom et al. 2022,
arXiv:2110.02037, section 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, BadInput, Key, Learner, Mean, PyTree, border, descend, forward
from adl.prob.labels import cross_entropy

Predict = Callable[[Array], Array]  # texts [B, T], some places hidden -> logits [B, T, V], or more of which V count
Choose = Callable[[Key, Array], Array]  # (key, logits [..., V]) -> token [...]


class Hidden(NamedTuple):
    """Texts of which some places are hidden."""

    token: Array  # [B, T], V where hidden
    is_hidden: Array  # [B, T] booleans
    weight: Array  # [B] >= 0: T / k of a row's bound


def hide(key: Key, token: Array, may: Array, *, num_tokens: int) -> Hidden:
    """Texts of which k places are hidden, any as likely as any other, k even in 1 ... those that may be.

    Over the rows the k are spread evenly, from a common start that is random: each by itself is as it should be, and
    their mean varies less.

    Args:
      key: consumed.
      token: `[B, T]` integers in 0 ... V - 1.
      may: `[B, T]` booleans, which places may be hidden; of none of a row none is, and its weight is 0.
      num_tokens: V.
    Source: spread evenly: Kingma et al. 2021, arXiv:2107.00630, appendix I.1.
    """
    chex.assert_equal_shape([token, may])
    start_key, order_key = jax.random.split(key)
    most = may.sum(-1)
    share = (jax.random.uniform(start_key) + jnp.arange(len(token)) / len(token)) % 1
    count = jnp.minimum(1 + jnp.floor(share * most).astype(most.dtype), most)
    order = jnp.where(may, jax.random.uniform(order_key, token.shape), jnp.inf)
    is_hidden = (jnp.argsort(jnp.argsort(order, -1), -1) < count[:, None]) & may
    weight = jnp.where(most > 0, most / jnp.maximum(count, 1), 0.0)
    return Hidden(jnp.where(is_hidden, num_tokens, token), is_hidden, weight)


def masked_bound(key: Key, predict: Predict, token: Array, may: Array, *, num_tokens: int) -> Array:
    """`[B]` unbiased estimates of the bound on -log p(x), in nats a row, of the places that may be hidden.

    Args:
      key: consumed.
      predict: the network.
      token: `[B, T]` integers in 0 ... V - 1.
      may: as in `hide`; what may not be is known: a prompt, padding.
      num_tokens: V.
    """
    hidden = hide(key, token, may, num_tokens=num_tokens)
    nats = cross_entropy(_logits(predict, hidden.token, num_tokens), token)
    return hidden.weight * jnp.where(hidden.is_hidden, nats, 0).sum(-1)


def masked_diffusion(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    num_tokens: int,
    prepare: Callable[[Key, PyTree], tuple[Array, Array]],
    axis: str | None = None,
) -> Algorithm:
    """Masked diffusion of texts; the state is a `Learner`, the loss the bound in nats a token that may be hidden.

    Args:
      model: `[B, T] -> [B, T, V]` logits, or more of which the first V count: `nn.encoder.BERT` of V + 1 tokens. It
        sees all places, and no time: how many are hidden says as much.
      tx: optax transformation.
      num_tokens: V; the token V stands in hidden places.
      prepare: `prepare(key, batch) -> (token [B, T], which may be hidden [B, T])`.
      axis: as in `core.descend`.
    Source: Sahoo et al. 2024, arXiv:2406.07524, section 3.3; without the time: Ou et al. 2024, arXiv:2406.03736,
      section 3.1.
    """
    prepare = border.prepared(prepare, "int [B, T]")

    def init(key: Key, batch) -> Learner:
        token, _ = prepare(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, token), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, hide_key, dropout_key = jax.random.split(key, 3)
        token, may = prepare(prepare_key, batch)

        def bound(network):
            return masked_bound(hide_key, network, token, may, num_tokens=num_tokens)

        nats, extras = forward(model, dropout_key, params, extras, method=bound)
        return {"loss": Mean(nats.sum(), may.sum().astype(nats.dtype))}, extras

    return Algorithm(init, descend(loss, tx, axis))


def fill(
    key: Key,
    predict: Predict,
    token: Array,
    *,
    num_tokens: int,
    num_steps: int,
    choose: Choose = jax.random.categorical,
) -> Array:
    """Texts whose hidden places are filled in random order, in one scan: the state after each step `[N, B, T]`.

    At step i of N a place that is hidden still is filled with probability 1 / (N - i), from what the network says of
    it: the reverse of hiding at even times. Places of one step do not see each other: the more steps, the truer.

    Args:
      key: consumed.
      predict: the network.
      token: `[B, T]`, V where hidden: all, or a gap; what is not hidden stays.
      num_tokens: V.
      num_steps: N >= 1.
      choose: picks each token.
    Raises:
      BadInput: of no steps.
    Source: Sahoo et al. 2024, arXiv:2406.07524, section 3.2, where alpha_t = 1 - t.
    """
    if num_steps < 1:
        raise BadInput(f"{num_steps} steps of filling; at least 1")

    def step(token, given):
        key, left = given
        when_key, what_key = jax.random.split(key)
        is_due = (token == num_tokens) & (jax.random.uniform(when_key, token.shape) * left < 1)
        made = choose(what_key, _logits(predict, token, num_tokens))
        token = jnp.where(is_due, made.astype(token.dtype), token)
        return token, token

    left = jnp.arange(num_steps, 0, -1, dtype=jnp.float32)
    return lax.scan(step, token, (jax.random.split(key, num_steps), left))[1]


def write_on(key: Key, predict: Predict, prompt: Array, num_new: int, *, length: int, num_tokens: int, **how) -> Array:
    """`[B, N]` what follows prompts: half a window at a time is hidden behind the last tokens, and filled.

    Args:
      key: consumed.
      predict: the network.
      prompt: `[B, P]`, P >= 1.
      num_new: N >= 1.
      length: T >= 2, the longest text that the network sees.
      num_tokens: V.
      **how: `num_steps` of each half window, and perhaps `choose`, as in `fill`.
    """
    text, block = prompt, max(length // 2, 1)
    for part in range(-(-num_new // block)):
        seen = text[:, -(length - block) :]
        hidden = jnp.full((len(text), min(block, num_new - part * block)), num_tokens, text.dtype)
        given = jnp.concatenate([seen, hidden], 1)
        made = fill(jax.random.fold_in(key, part), predict, given, num_tokens=num_tokens, **how)[-1]
        text = jnp.concatenate([text, made[:, seen.shape[1] :]], 1)
    return text[:, prompt.shape[1] :]


class Infiller(NamedTuple):
    """How a state's network fills in: what it is judged by, and what it makes."""

    predict: Callable[[PyTree], Predict]  # of a state
    num_tokens: int  # V
    length: int  # T >= 2, the longest text that the network sees, with one token that is known
    num_steps: int  # in which a text is filled

    def bound(self, size: Array, num_draws: int = 1) -> Callable[[Key, PyTree, dict[str, Array]], dict[str, Mean]]:
        """Measure for `core.full_pass` over `data.text.windows`: the `bound` in nats a unit, of so many maskings.

        The token before a window is known, so that each other is asked for once, as of a language model.

        Args:
          size: `[V]` units that a token counts for.
          num_draws: >= 1, of each window.
        """

        def measure(key: Key, state: PyTree, batch: dict[str, Array]) -> dict[str, Mean]:
            may = jnp.pad(batch["mask"] > 0, ((0, 0), (1, 0)))

            def drawn(key):
                return masked_bound(key, self.predict(state), batch["token"], may, num_tokens=self.num_tokens).sum()

            nats = lax.map(drawn, jax.random.split(key, num_draws)).mean()
            return {"bound": Mean(nats, (jnp.asarray(size)[batch["token"]] * may).sum())}

        return measure

    def gaps(self, token: Array, key: Key, state: PyTree) -> dict[str, Array]:
        """Pieces of one text `[B, T]`, whose middle halves are hidden, filled, and as they are: `token` `[3, B T - B]`.

        The first token of a piece is the last of the one before, and left out.
        """
        some, token = max(token.shape[1] // 4, 1), jnp.asarray(token)
        hidden = token.at[:, some:-some].set(self.num_tokens)
        three = hidden, fill(key, self.predict(state), hidden, **self._how)[-1], token
        return {"token": jnp.stack(three)[:, :, 1:].reshape(3, -1)}

    def goes_on(self, key: Key, state: PyTree, prompt: Array, num_tokens: int) -> Array:
        """`[B, N]` what follows prompts `[B, P]`: half of what the network sees is hidden behind them at a time."""
        return write_on(key, self.predict(state), prompt, num_tokens, length=self.length, **self._how)

    @property
    def _how(self) -> dict[str, int]:
        return {"num_tokens": self.num_tokens, "num_steps": self.num_steps}


def _logits(predict: Predict, token: Array, num_tokens: int) -> Array:
    """`[B, T, V]` of no other tokens."""
    logits = predict(token)
    chex.assert_shape(logits, (*token.shape, None))
    chex.assert_axis_dimension_gteq(logits, -1, num_tokens)  # fewer would make a bound of fewer tokens, and say nothing
    return logits[..., :num_tokens]
