"""How translators do: whole targets that are right, what they write by beams, and where they look meanwhile."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Mean, Probe, PyTree, full_pass
from adl.data.translations import Translations
from adl.measure.bleu import corpus_bleu
from adl.sequence.beam import beam_search
from adl.sequence.decode import generate
from adl.sequence.language import exact_match, surprise
from adl.sequence.translation import reader_of

AT_ONCE = 100  # texts


def translators_judged(models: Mapping[str, nn.Module], split: data.Split) -> Probe:
    """Probe: `NAME_exact`, the share of texts whose greedy translation is the target, and `NAME_loss`, nats a token.

    Args:
      models: that learn beside each other (`core.beside`), by name, as `translation` takes them.
      split: columns of `data.translations`.
    """

    def measure(key, state, batch):
        told, real = {}, batch["target_mask"]
        weight = real[:, 1:].astype(jnp.float32)
        for name, model in models.items():
            given = {"source_mask": batch["source_mask"], "mask": real[:, :-1]}
            logits = model.apply(state[name].variables, batch["source"], batch["target"][:, :-1], **given)
            is_right = exact_match(logits, batch["target"][:, 1:], weight).astype(jnp.float32)
            told[f"{name}_exact"] = Mean.of(is_right, batch["mask"])
            told[f"{name}_loss"] = surprise(logits, batch["target"][:, 1:], weight)["loss"]
        return told

    return full_pass(measure, data.padded(split, AT_ONCE), len(split))


def by_beams(
    model: nn.Module, variables: PyTree, source: Array, mask: Array, *, num_beams: int, num_tokens: int, start: int
) -> Array:
    """`[B, N]` tokens of the best translation of each source `[B, U]`, behind its end `start`.

    Args:
      model: as `reader_of` takes it.
      variables: of the model.
      source: integers.
      mask: `[B, U]` boolean.
      num_beams: K >= 1; the score is the mean of a token's log-probability.
      num_tokens: N >= 1, at most.
      start: the token before a text, which also ends it.
    """
    read, carry = reader_of(model, variables, source, num_tokens + 1, mask=mask)
    prompt, ends = jnp.full((len(source), 1), start), {"stop": (start,), "pad": start}
    if num_beams == 1:
        return generate(jax.random.key(0), read, carry, prompt, num_tokens, **ends).token
    return beam_search(read, carry, prompt, num_tokens, num_beams=num_beams, **ends).token[:, 0]


def corpus_judged(
    models: Mapping[str, nn.Module], known: Translations, test: str, *, num_beams: int, num_tokens: int
) -> Probe:
    """Probe: `NAME_bleu` in [0, 100] of a whole test, and `NAME` `[N, T]`, what each model writes.

    Args:
      models: by name, as of `translators_judged`.
      known: with the test, and its references as they were written.
      test: its name.
      num_beams: as in `by_beams`, as is the next.
      num_tokens: of a translation, at most.
    """
    split, reference = known.tests[test], known.texts[test][1]

    def bleu(token: np.ndarray) -> np.ndarray:
        return np.float32(corpus_bleu([known.written(row) for row in np.asarray(token)], reference))

    def measure(key, state, batch):
        of = {"num_beams": num_beams, "num_tokens": num_tokens, "start": known.tokens.start}
        return {
            name: by_beams(model, state[name].variables, batch["source"], batch["source_mask"], **of)
            for name, model in models.items()
        }

    def probe(passed, key, state):
        written = passed(key, state)
        number = jax.ShapeDtypeStruct((), jnp.float32)
        scores = {  # of strings, on the host; nothing that learns waits for it
            f"{name}_bleu": Mean.of(jax.pure_callback(bleu, number, token, vmap_method="sequential"))
            for name, token in written.items()
        }
        return {**scores, **written}

    return Partial(probe, full_pass(measure, data.padded(split, AT_ONCE), len(split)))


def translator(model: nn.Module, name: str, num_tokens: int, *, start: int, num_beams: int) -> Callable[..., Array]:
    """`(key, state, source [1, U], num_tokens=) -> [1, N]`, what the named model makes of a text."""

    def translate(key, state, source, num_tokens=num_tokens):
        of = {"num_beams": num_beams, "num_tokens": num_tokens, "start": start}
        token = by_beams(model, state[name].variables, source, jnp.ones(source.shape, bool), **of)
        return token

    return translate


def looked_at(models: Mapping[str, nn.Module], known: Translations, test: str, *, num_tokens: int) -> dict[str, Probe]:
    """Probes of what figures show: "looks", and "few".

    Args:
      models: by name, as of `translators_judged`.
      known: with the test.
      test: its name.
      num_tokens: of a translation, at most.
    Returns:
      "looks": `NAME` `[T, U]`, where each model looks for each token of `known.example`; of a transformer that is the
      mean over the heads of its last layer, rows sum to 1. "few": `NAME` `[M, N]`, what each greedily writes for the
      texts of `known.few`.
    """
    columns = known.tests[test].arrays
    count = len(known.few(test)["sources"])

    def looks(texts, key, state):
        source, target = (jnp.asarray(text)[None] for text in texts)
        told = {}
        for name, model in models.items():
            _, seen = model.apply(state[name].variables, source, target[:, :-1], mutable=["intermediates"])
            told[name] = looked(seen["intermediates"])
        return told

    def few(texts, key, state):
        of = {"num_beams": 1, "num_tokens": num_tokens, "start": known.tokens.start}
        source, mask = map(jnp.asarray, texts)
        return {name: by_beams(model, state[name].variables, source, mask, **of) for name, model in models.items()}

    of_few = tuple(columns[name][:count] for name in ("source", "source_mask"))
    return {"looks": Partial(looks, known.example(test)), "few": Partial(few, of_few)}


def looked(seen: Mapping) -> Array:
    """`[T, U]` weights of the first row, from what `AdditiveTranslator` or `EncoderDecoder` sowed."""
    if "weights" in seen:
        return seen["weights"][0][0]
    layers: Sequence[str] = sorted((name for name in seen if name.startswith("decoder_")), key=lambda n: int(n[8:]))
    return seen[layers[-1]]["MultiHeadAttention_1"]["weights"][0][0].mean(0)
